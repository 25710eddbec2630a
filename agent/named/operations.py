"""CloudWatch and its logs, Systems Manager, CloudFormation, the Code services, X-Ray, Synthetics, budgets, quotas."""

from agent.named import table

TYPES = table("""
aws_appconfig_application of appconfig
  names id arn
  create CreateApplication: response.id
  update UpdateApplication, delete DeleteApplication: request.applicationId
aws_budgets_budget of budgets
  names account_id+name id arn
  create CreateBudget: request.accountId + request.budget.budgetName
  update UpdateBudget: request.accountId + request.newBudget.budgetName
  update CreateNotification CreateSubscriber DeleteNotification DeleteSubscriber UpdateNotification UpdateSubscriber,
    delete DeleteBudget: request.accountId + request.budgetName
aws_cloudformation_stack of cloudformation
  names name id
  arns stack/
  create CreateStack, update ContinueUpdateRollback ExecuteChangeSet RollbackStack SetStackPolicy UpdateStack
    UpdateTerminationProtection, delete DeleteStack: request.stackName
aws_cloudformation_stack_set of cloudformation
  names name id arn
  arns stackset/
  create CreateStackSet, update UpdateStackSet, delete DeleteStackSet: request.stackSetName
aws_cloudformation_stack_instances = aws_cloudformation_stack_set_instance
aws_cloudformation_stack_set_instance of cloudformation
  names stack_set_name
  parent aws_cloudformation_stack_set
  create CreateStackInstances, update UpdateStackInstances, delete DeleteStackInstances: request.stackSetName
aws_cloudwatch_composite_alarm of monitoring
  names alarm_name id arn
  update PutCompositeAlarm: request.alarmName
aws_cloudwatch_dashboard of monitoring
  names dashboard_name id dashboard_arn
  update PutDashboard: request.dashboardName
  delete DeleteDashboards: request.dashboardNames
aws_cloudwatch_log_account_policy of logs
  names policy_type+policy_name policy_name
  update PutAccountPolicy, delete DeleteAccountPolicy: request.policyType + request.policyName
aws_cloudwatch_log_data_protection_policy of logs
  names log_group_name id
  parent aws_cloudwatch_log_group
  update PutDataProtectionPolicy, delete DeleteDataProtectionPolicy: request.logGroupIdentifier
aws_cloudwatch_log_destination of logs
  names name id arn
  arns destination:
  update PutDestination, delete DeleteDestination: request.destinationName
aws_cloudwatch_log_destination_policy of logs
  names destination_name id
  parent aws_cloudwatch_log_destination
  update PutDestinationPolicy: request.destinationName
aws_cloudwatch_log_metric_filter of logs
  names log_group_name+name
  parent aws_cloudwatch_log_group
  update PutMetricFilter, delete DeleteMetricFilter: request.logGroupName + request.filterName
aws_cloudwatch_log_resource_policy of logs
  names policy_name id
  update PutResourcePolicy, delete DeleteResourcePolicy: request.policyName
aws_cloudwatch_log_stream of logs
  names log_group_name+name arn
  create CreateLogStream, delete DeleteLogStream: request.logGroupName + request.logStreamName
aws_cloudwatch_metric_alarm of monitoring
  names alarm_name id arn
  arns alarm:
  update PutMetricAlarm SetAlarmState: request.alarmName
  update DisableAlarmActions EnableAlarmActions, delete DeleteAlarms: request.alarmNames
aws_cloudwatch_metric_stream of monitoring
  names name id arn
  arns metric-stream/
  update PutMetricStream, delete DeleteMetricStream: request.name
  update StartMetricStreams StopMetricStreams: request.names
aws_cloudwatch_query_definition of logs
  names query_definition_id id
  update PutQueryDefinition: request.queryDefinitionId | response.queryDefinitionId
  delete DeleteQueryDefinition: request.queryDefinitionId
aws_codeartifact_domain of codeartifact
  names domain arn id
  arns domain/
  create CreateDomain, update DeleteDomainPermissionsPolicy PutDomainPermissionsPolicy, delete DeleteDomain:
    request.domain
aws_codeartifact_repository of codeartifact
  names domain+repository arn id
  arns repository/
  create CreateRepository, update AssociateExternalConnection DeleteRepositoryPermissionsPolicy
    DisassociateExternalConnection PutRepositoryPermissionsPolicy UpdateRepository, delete DeleteRepository:
    request.domain + request.repository
aws_codebuild_project of codebuild
  names name arn id
  arns project/
  create CreateProject, update UpdateProject, delete DeleteProject: request.name
  update InvalidateProjectCache: request.projectName
  update UpdateProjectVisibility: request.projectArn
aws_codebuild_source_credential of codebuild
  names arn id
  create ImportSourceCredentials: response.arn
  delete DeleteSourceCredentials: request.arn
aws_codebuild_webhook of codebuild
  names project_name id
  parent aws_codebuild_project
  create CreateWebhook, update UpdateWebhook, delete DeleteWebhook: request.projectName
aws_codecommit_repository of codecommit
  names repository_name id arn
  create CreateRepository, update PutRepositoryTriggers UpdateDefaultBranch UpdateRepositoryDescription
    UpdateRepositoryEncryptionKey, delete DeleteRepository: request.repositoryName
  update UpdateRepositoryName: request.oldName
aws_codedeploy_app of codedeploy
  names name arn id
  arns application:
  create CreateApplication, update UpdateApplication, delete DeleteApplication: request.applicationName
aws_codedeploy_deployment_config of codedeploy
  names deployment_config_name id arn
  create CreateDeploymentConfig, delete DeleteDeploymentConfig: request.deploymentConfigName
aws_codedeploy_deployment_group of codedeploy
  names app_name+deployment_group_name arn
  arns deploymentgroup:
  create CreateDeploymentGroup, delete DeleteDeploymentGroup: request.applicationName + request.deploymentGroupName
  update UpdateDeploymentGroup: request.applicationName + request.currentDeploymentGroupName
aws_codepipeline of codepipeline
  names name id arn
  create CreatePipeline, update UpdatePipeline: request.pipeline.name
  update DisableStageTransition EnableStageTransition: request.pipelineName
  delete DeletePipeline: request.name
aws_codestarconnections_connection of codestar-connections
  names arn id
  arns connection/
  create CreateConnection: response.connectionArn
  delete DeleteConnection: request.connectionArn
aws_imagebuilder_image_pipeline of imagebuilder
  names arn id
  arns image-pipeline/
  create CreateImagePipeline: response.imagePipelineArn
  update UpdateImagePipeline, delete DeleteImagePipeline: request.imagePipelineArn
aws_grafana_workspace of grafana
  names id arn
  create CreateWorkspace: response.workspace.id
  update UpdatePermissions UpdateWorkspace UpdateWorkspaceAuthentication UpdateWorkspaceConfiguration,
    delete DeleteWorkspace: request.workspaceId
aws_prometheus_workspace of aps
  names id arn
  create CreateWorkspace: response.workspaceId
  update UpdateWorkspaceAlias, delete DeleteWorkspace: request.workspaceId
aws_resourcegroups_group of resource-groups
  names name arn id
  create CreateGroup: request.name
  update UpdateGroup UpdateGroupQuery, delete DeleteGroup: request.group | request.groupName
aws_servicecatalog_portfolio of servicecatalog
  names id arn
  create CreatePortfolio: response.portfolioDetail.id
  update UpdatePortfolio, delete DeletePortfolio: request.id
aws_servicecatalog_product of servicecatalog
  names id arn
  create CreateProduct: response.productViewDetail.productViewSummary.productId
  update UpdateProduct, delete DeleteProduct: request.id
aws_servicequotas_service_quota of servicequotas
  names service_code+quota_code id
  update RequestServiceQuotaIncrease: request.serviceCode + request.quotaCode
aws_ssm_activation of ssm
  names id
  create CreateActivation: response.activationId
  delete DeleteActivation: request.activationId
aws_ssm_association of ssm
  names association_id id arn
  arns association/
  create CreateAssociation: response.associationDescription.associationId
  update StartAssociationsOnce: request.associationIds
  update UpdateAssociation, delete DeleteAssociation: request.associationId
aws_ssm_default_patch_baseline of ssm
  names baseline_id
  update RegisterDefaultPatchBaseline: request.baselineId
aws_ssm_document of ssm
  names name id arn
  arns document/
  create CreateDocument, update ModifyDocumentPermission UpdateDocument UpdateDocumentDefaultVersion,
    delete DeleteDocument: request.name
aws_ssm_maintenance_window of ssm
  names id
  arns maintenancewindow/
  create CreateMaintenanceWindow: response.windowId
  update UpdateMaintenanceWindow, delete DeleteMaintenanceWindow: request.windowId
aws_ssm_maintenance_window_target of ssm
  names window_id+id
  parent aws_ssm_maintenance_window
  create RegisterTargetWithMaintenanceWindow: request.windowId + response.windowTargetId
  update UpdateMaintenanceWindowTarget, delete DeregisterTargetFromMaintenanceWindow:
    request.windowId + request.windowTargetId
aws_ssm_maintenance_window_task of ssm
  names window_id+window_task_id
  parent aws_ssm_maintenance_window
  create RegisterTaskWithMaintenanceWindow: request.windowId + response.windowTaskId
  update UpdateMaintenanceWindowTask, delete DeregisterTaskFromMaintenanceWindow:
    request.windowId + request.windowTaskId
aws_ssm_patch_baseline of ssm
  names id arn
  arns patchbaseline/
  create CreatePatchBaseline: response.baselineId
  update UpdatePatchBaseline, delete DeletePatchBaseline: request.baselineId
aws_ssm_patch_group of ssm
  names baseline_id+patch_group
  parent aws_ssm_patch_baseline
  create RegisterPatchBaselineForPatchGroup, delete DeregisterPatchBaselineForPatchGroup:
    request.baselineId + request.patchGroup
aws_ssm_resource_data_sync of ssm
  names name id
  create CreateResourceDataSync, update UpdateResourceDataSync, delete DeleteResourceDataSync: request.syncName
aws_ssm_service_setting of ssm
  names setting_id id arn
  update ResetServiceSetting UpdateServiceSetting: request.settingId
aws_synthetics_canary of synthetics
  names name id arn
  arns canary:
  create CreateCanary, update StartCanary StopCanary UpdateCanary, delete DeleteCanary: request.name
aws_xray_encryption_config of xray
  names @account
  update PutEncryptionConfig: account
aws_xray_group of xray
  names group_name arn id
  create CreateGroup: request.groupName
  update UpdateGroup, delete DeleteGroup: request.groupName | request.groupARN
aws_xray_sampling_rule of xray
  names rule_name id arn
  create CreateSamplingRule: request.samplingRule.ruleName
  update UpdateSamplingRule: request.samplingRuleUpdate.ruleName
  delete DeleteSamplingRule: request.ruleName | request.ruleARN
""")
