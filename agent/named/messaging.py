"""SNS, EventBridge, Scheduler, Pipes, Step Functions, Kinesis, Data Firehose, MSK, Amazon MQ and SES."""

from agent.named import table

TYPES = table("""
aws_cloudwatch_event_api_destination of events
  names name id arn
  create CreateApiDestination, update UpdateApiDestination, delete DeleteApiDestination: request.name
aws_cloudwatch_event_archive of events
  names name id arn
  create CreateArchive, update UpdateArchive, delete DeleteArchive: request.archiveName
aws_cloudwatch_event_bus of events
  names name id arn
  arns event-bus/
  create CreateEventBus, update UpdateEventBus, delete DeleteEventBus: request.name
aws_cloudwatch_event_bus_policy of events
  names event_bus_name id
  parent aws_cloudwatch_event_bus
  update PutPermission, delete RemovePermission: request.eventBusName='default'
aws_cloudwatch_event_connection of events
  names name id arn
  create CreateConnection, update DeauthorizeConnection UpdateConnection, delete DeleteConnection: request.name
aws_cloudwatch_event_permission = aws_cloudwatch_event_bus_policy
aws_cloudwatch_event_rule of events
  names event_bus_name+name id arn
  arns rule/
  update PutRule DisableRule EnableRule, delete DeleteRule: request.eventBusName='default' + request.name
aws_cloudwatch_event_target of events
  names event_bus_name+rule+target_id
  parent aws_cloudwatch_event_rule
  update PutTargets: request.eventBusName='default' + request.rule + request.targets.id
  delete RemoveTargets: request.eventBusName='default' + request.rule + request.ids
aws_kinesis_firehose_delivery_stream of firehose
  names name arn id
  arns deliverystream/
  create CreateDeliveryStream, update StartDeliveryStreamEncryption StopDeliveryStreamEncryption TagDeliveryStream
    UntagDeliveryStream UpdateDestination, delete DeleteDeliveryStream: request.deliveryStreamName
aws_kinesis_resource_policy of kinesis
  names resource_arn id
  update PutResourcePolicy, delete DeleteResourcePolicy: request.resourceARN
aws_kinesis_stream of kinesis
  names name arn id
  arns stream/
  create CreateStream: request.streamName
  update AddTagsToStream DecreaseStreamRetentionPeriod DisableEnhancedMonitoring
    EnableEnhancedMonitoring IncreaseStreamRetentionPeriod MergeShards RemoveTagsFromStream SplitShard
    StartStreamEncryption StopStreamEncryption UpdateShardCount, delete DeleteStream:
    request.streamName | request.streamARN
  update UpdateStreamMode: request.streamARN
aws_kinesis_stream_consumer of kinesis
  names stream_arn+name arn id
  parent aws_kinesis_stream
  create RegisterStreamConsumer: request.streamARN + request.consumerName
  delete DeregisterStreamConsumer: request.streamARN + request.consumerName | request.consumerARN
aws_kinesisanalyticsv2_application of kinesisanalytics
  names name arn id
  arns application/
  create CreateApplication, update AddApplicationCloudWatchLoggingOption AddApplicationInput AddApplicationOutput
    AddApplicationVpcConfiguration StartApplication StopApplication UpdateApplication, delete DeleteApplication:
    request.applicationName
aws_mq_broker of amazonmq
  names id arn
  arns broker:
  create CreateBroker: response.brokerId
  update RebootBroker UpdateBroker, delete DeleteBroker: request.brokerId | request.broker-id
aws_mq_configuration of amazonmq
  names id arn
  arns configuration:
  create CreateConfiguration: response.id
  update UpdateConfiguration: request.configurationId | request.configuration-id
aws_msk_cluster of kafka
  names arn id
  arns cluster/
  create CreateCluster CreateClusterV2: response.clusterArn
  update RebootBroker UpdateBrokerCount UpdateBrokerStorage UpdateBrokerType UpdateClusterConfiguration
    UpdateClusterKafkaVersion UpdateConnectivity UpdateMonitoring UpdateSecurity UpdateStorage,
    delete DeleteCluster: request.clusterArn
aws_msk_cluster_policy of kafka
  names cluster_arn id
  parent aws_msk_cluster
  update PutClusterPolicy, delete DeleteClusterPolicy: request.clusterArn
aws_msk_configuration of kafka
  names arn id
  arns configuration/
  create CreateConfiguration: response.arn
  update UpdateConfiguration, delete DeleteConfiguration: request.arn
aws_msk_scram_secret_association of kafka
  names cluster_arn id
  parent aws_msk_cluster
  create BatchAssociateScramSecret, delete BatchDisassociateScramSecret: request.clusterArn
aws_msk_serverless_cluster = aws_msk_cluster
aws_pipes_pipe of pipes
  names name id arn
  arns pipe/
  create CreatePipe, update StartPipe StopPipe UpdatePipe, delete DeletePipe: request.name
aws_scheduler_schedule of scheduler
  names group_name+name id arn
  create CreateSchedule, update UpdateSchedule, delete DeleteSchedule: request.groupName='default' + request.name
aws_scheduler_schedule_group of scheduler
  names name id arn
  arns schedule-group/
  create CreateScheduleGroup, delete DeleteScheduleGroup: request.name
aws_ses_active_receipt_rule_set of ses
  names @account
  update SetActiveReceiptRuleSet: account
aws_ses_configuration_set = aws_sesv2_configuration_set
  names name id arn
aws_ses_domain_identity = aws_sesv2_email_identity
  names domain id arn
aws_ses_email_identity = aws_sesv2_email_identity
  names email id arn
aws_ses_identity_policy of ses
  names identity+name
  parent aws_sesv2_email_identity
  update PutIdentityPolicy, delete DeleteIdentityPolicy: request.identity + request.policyName
  update CreateEmailIdentityPolicy UpdateEmailIdentityPolicy, delete DeleteEmailIdentityPolicy:
    request.emailIdentity + request.policyName
aws_ses_receipt_rule of ses
  names rule_set_name+name id
  parent aws_ses_receipt_rule_set
  create CreateReceiptRule, update UpdateReceiptRule: request.ruleSetName + request.rule.name
  update SetReceiptRulePosition, delete DeleteReceiptRule: request.ruleSetName + request.ruleName
aws_ses_receipt_rule_set of ses
  names rule_set_name id arn
  create CreateReceiptRuleSet, delete DeleteReceiptRuleSet: request.ruleSetName
aws_ses_template of ses
  names name id arn
  create CreateTemplate, update UpdateTemplate: request.template.templateName
  delete DeleteTemplate: request.templateName
aws_sesv2_configuration_set of ses
  names configuration_set_name id arn
  arns configuration-set/
  create CreateConfigurationSet: request.configurationSetName | request.configurationSet.name
  delete DeleteConfigurationSet: request.configurationSetName
  update PutConfigurationSetDeliveryOptions PutConfigurationSetReputationOptions PutConfigurationSetSendingOptions
    PutConfigurationSetSuppressionOptions PutConfigurationSetTrackingOptions: request.configurationSetName
aws_sesv2_email_identity of ses
  names email_identity id arn
  arns identity/
  create CreateEmailIdentity, update PutEmailIdentityConfigurationSetAttributes PutEmailIdentityDkimAttributes
    PutEmailIdentityDkimSigningAttributes PutEmailIdentityFeedbackAttributes PutEmailIdentityMailFromAttributes,
    delete DeleteEmailIdentity: request.emailIdentity
  create VerifyDomainIdentity VerifyDomainDkim: request.domain
  create VerifyEmailIdentity: request.emailAddress
  update SetIdentityDkimEnabled SetIdentityMailFromDomain SetIdentityNotificationTopic, delete DeleteIdentity:
    request.identity
aws_sfn_activity of states
  names id
  arns activity:
  create CreateActivity: response.activityArn
  delete DeleteActivity: request.activityArn
aws_sfn_alias of states
  names arn id
  create CreateStateMachineAlias: response.stateMachineAliasArn
  update UpdateStateMachineAlias, delete DeleteStateMachineAlias: request.stateMachineAliasArn
aws_sfn_state_machine of states
  names arn id
  arns stateMachine:
  create CreateStateMachine: response.stateMachineArn
  update PublishStateMachineVersion UpdateStateMachine, delete DeleteStateMachine: request.stateMachineArn
aws_sns_platform_application of sns
  names arn id
  arns app/
  create CreatePlatformApplication: response.platformApplicationArn
  update SetPlatformApplicationAttributes, delete DeletePlatformApplication: request.platformApplicationArn
aws_sns_sms_preferences of sns
  names @account
  update SetSMSAttributes: account
aws_sns_topic_data_protection_policy of sns
  names arn id
  parent aws_sns_topic
  update PutDataProtectionPolicy: request.resourceArn
# Until it is confirmed a subscription has no ARN, and the answer says `pending confirmation`.
aws_sns_topic_subscription of sns
  names arn id topic_arn+protocol+endpoint
  create ConfirmSubscription: response.subscriptionArn
  create Subscribe: request.topicArn + request.protocol + request.endpoint
  update SetSubscriptionAttributes, delete Unsubscribe: request.subscriptionArn
""")
