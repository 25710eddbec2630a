"""Keys, secrets, certificates; the trail; Config, GuardDuty, Security Hub, Inspector, Macie, WAF, Network Firewall."""

from agent.named import table

TYPES = table("""
aws_accessanalyzer_analyzer of access-analyzer
  names analyzer_name id arn
  arns analyzer/
  create CreateAnalyzer, update UpdateAnalyzer, delete DeleteAnalyzer: request.analyzerName
aws_accessanalyzer_archive_rule of access-analyzer
  names analyzer_name+rule_name id
  parent aws_accessanalyzer_analyzer
  create CreateArchiveRule, update UpdateArchiveRule, delete DeleteArchiveRule: request.analyzerName + request.ruleName
aws_acm_certificate of acm
  names arn id
  arns certificate/
  create RequestCertificate: response.certificateArn
  create ImportCertificate: response.certificateArn | request.certificateArn
  update AddTagsToCertificate RemoveTagsFromCertificate RenewCertificate ResendValidationEmail UpdateCertificateOptions,
    delete DeleteCertificate: request.certificateArn
aws_acmpca_certificate_authority of acm-pca
  names arn id
  arns certificate-authority/
  create CreateCertificateAuthority: response.certificateAuthorityArn
  update ImportCertificateAuthorityCertificate RestoreCertificateAuthority UpdateCertificateAuthority
    TagCertificateAuthority UntagCertificateAuthority, delete DeleteCertificateAuthority:
    request.certificateAuthorityArn
aws_acmpca_permission of acm-pca
  names certificate_authority_arn+principal
  parent aws_acmpca_certificate_authority
  create CreatePermission, delete DeletePermission: request.certificateAuthorityArn + request.principal
aws_acmpca_policy of acm-pca
  names resource_arn id
  parent aws_acmpca_certificate_authority
  update PutPolicy, delete DeletePolicy: request.resourceArn
aws_cloudhsm_v2_cluster of cloudhsm
  names cluster_id id
  create CreateCluster: response.cluster.clusterId
  update InitializeCluster ModifyCluster, delete DeleteCluster: request.clusterId
aws_cloudhsm_v2_hsm of cloudhsm
  names hsm_id id
  create CreateHsm: response.hsm.hsmId
  delete DeleteHsm: request.hsmId
aws_cloudtrail of cloudtrail
  names name arn id
  arns trail/
  create CreateTrail, update StartLogging StopLogging UpdateTrail, delete DeleteTrail: request.name
  update PutEventSelectors PutInsightSelectors PutEventConfiguration: request.trailName
aws_cloudtrail_event_data_store of cloudtrail
  names arn id
  arns eventdatastore/
  create CreateEventDataStore: response.eventDataStoreArn
  update DisableFederation EnableFederation PutEventConfiguration PutInsightSelectors RestoreEventDataStore
    StartEventDataStoreIngestion StopEventDataStoreIngestion UpdateEventDataStore, delete DeleteEventDataStore:
    request.eventDataStore
aws_config_aggregate_authorization of config
  names account_id+region arn
  create PutAggregationAuthorization, delete DeleteAggregationAuthorization:
    request.authorizedAccountId + request.authorizedAwsRegion
aws_config_config_rule of config
  names name arn id
  arns config-rule/
  update PutConfigRule: request.configRule.configRuleName
  delete DeleteConfigRule: request.configRuleName
aws_config_configuration_aggregator of config
  names name id arn
  update PutConfigurationAggregator, delete DeleteConfigurationAggregator: request.configurationAggregatorName
aws_config_configuration_recorder of config
  names name id
  update PutConfigurationRecorder: request.configurationRecorder.name
  delete DeleteConfigurationRecorder: request.configurationRecorderName
aws_config_configuration_recorder_status of config
  names name id
  parent aws_config_configuration_recorder
  update StartConfigurationRecorder StopConfigurationRecorder: request.configurationRecorderName
aws_config_conformance_pack of config
  names name id arn
  update PutConformancePack, delete DeleteConformancePack: request.conformancePackName
aws_config_delivery_channel of config
  names name id
  update PutDeliveryChannel: request.deliveryChannel.name
  delete DeleteDeliveryChannel: request.deliveryChannelName
aws_config_organization_conformance_pack of config
  names name id arn
  update PutOrganizationConformancePack, delete DeleteOrganizationConformancePack:
    request.organizationConformancePackName
aws_config_organization_custom_rule = aws_config_organization_managed_rule
aws_config_organization_managed_rule of config
  names name id arn
  update PutOrganizationConfigRule, delete DeleteOrganizationConfigRule: request.organizationConfigRuleName
aws_config_remediation_configuration of config
  names config_rule_name id
  parent aws_config_config_rule
  update PutRemediationConfigurations: request.remediationConfigurations.configRuleName
  delete DeleteRemediationConfiguration: request.configRuleName
aws_detective_graph of detective
  names graph_arn id
  create CreateGraph: response.graphArn
  delete DeleteGraph: request.graphArn
aws_guardduty_detector of guardduty
  names id arn
  arns detector/
  create CreateDetector: response.detectorId
  update UpdateDetector UpdateMalwareScanSettings, delete DeleteDetector: request.detectorId
aws_guardduty_filter of guardduty
  names detector_id+name id
  parent aws_guardduty_detector
  create CreateFilter: request.detectorId + request.name
  update UpdateFilter, delete DeleteFilter: request.detectorId + request.filterName
aws_guardduty_invite_accepter of guardduty
  names detector_id id
  parent aws_guardduty_detector
  create AcceptAdministratorInvitation AcceptInvitation,
    delete DisassociateFromAdministratorAccount DisassociateFromMasterAccount: request.detectorId
aws_guardduty_ipset of guardduty
  names detector_id+id id arn
  parent aws_guardduty_detector
  create CreateIPSet: request.detectorId + response.ipSetId
  update UpdateIPSet, delete DeleteIPSet: request.detectorId + request.ipSetId
aws_guardduty_member of guardduty
  names detector_id+account_id id
  parent aws_guardduty_detector
  create CreateMembers: request.detectorId + request.accountDetails.accountId
  update DisassociateMembers InviteMembers StartMonitoringMembers StopMonitoringMembers, delete DeleteMembers:
    request.detectorId + request.accountIds
aws_guardduty_organization_admin_account of guardduty
  names admin_account_id id
  create EnableOrganizationAdminAccount, delete DisableOrganizationAdminAccount: request.adminAccountId
aws_guardduty_organization_configuration of guardduty
  names detector_id id
  parent aws_guardduty_detector
  update UpdateOrganizationConfiguration: request.detectorId
aws_guardduty_publishing_destination of guardduty
  names detector_id+id id
  parent aws_guardduty_detector
  create CreatePublishingDestination: request.detectorId + response.destinationId
  update UpdatePublishingDestination, delete DeletePublishingDestination: request.detectorId + request.destinationId
aws_guardduty_threatintelset of guardduty
  names detector_id+id id arn
  parent aws_guardduty_detector
  create CreateThreatIntelSet: request.detectorId + response.threatIntelSetId
  update UpdateThreatIntelSet, delete DeleteThreatIntelSet: request.detectorId + request.threatIntelSetId
aws_inspector2_delegated_admin_account of inspector2
  names account_id id
  create EnableDelegatedAdminAccount, delete DisableDelegatedAdminAccount: request.delegatedAdminAccountId
aws_inspector2_enabler of inspector2
  names account_ids
  create Enable, delete Disable: request.accountIds | account
aws_inspector2_organization_configuration of inspector2
  names @account
  update UpdateOrganizationConfiguration: account
aws_kms_alias of kms
  names name id arn
  arns alias/
  create CreateAlias, update UpdateAlias, delete DeleteAlias: request.aliasName
aws_kms_custom_key_store of kms
  names id
  create CreateCustomKeyStore: response.customKeyStoreId
  update ConnectCustomKeyStore DisconnectCustomKeyStore UpdateCustomKeyStore, delete DeleteCustomKeyStore:
    request.customKeyStoreId
aws_kms_external_key = aws_kms_key
aws_kms_grant of kms
  names key_id+grant_id
  parent aws_kms_key
  create CreateGrant: request.keyId + response.grantId
  delete RevokeGrant: request.keyId + request.grantId
aws_kms_replica_external_key = aws_kms_key
  names key_id id arn
aws_kms_replica_key = aws_kms_key
  names key_id id arn
aws_macie2_account of macie2
  names @account
  create EnableMacie, update UpdateMacieSession, delete DisableMacie: account
aws_macie2_classification_job of macie2
  names job_id id job_arn
  arns classification-job/
  create CreateClassificationJob: response.jobId
  update UpdateClassificationJob: request.jobId
aws_macie2_custom_data_identifier of macie2
  names id arn
  arns custom-data-identifier/
  create CreateCustomDataIdentifier: response.customDataIdentifierId
  delete DeleteCustomDataIdentifier: request.id
aws_macie2_member of macie2
  names account_id id
  create CreateMember: request.account.accountId
  update DisassociateMember UpdateMemberSession, delete DeleteMember: request.id
aws_networkfirewall_firewall of network-firewall
  names name arn id
  arns firewall/
  create CreateFirewall: request.firewallName
  update AssociateFirewallPolicy AssociateSubnets DisassociateSubnets
    UpdateFirewallDeleteProtection UpdateFirewallDescription UpdateFirewallEncryptionConfiguration
    UpdateFirewallPolicyChangeProtection UpdateSubnetChangeProtection, delete DeleteFirewall:
    request.firewallName | request.firewallArn
aws_networkfirewall_firewall_policy of network-firewall
  names name arn id
  arns firewall-policy/
  create CreateFirewallPolicy: request.firewallPolicyName
  update UpdateFirewallPolicy, delete DeleteFirewallPolicy:
    request.firewallPolicyName | request.firewallPolicyArn
aws_networkfirewall_logging_configuration of network-firewall
  names firewall_arn id
  parent aws_networkfirewall_firewall
  update UpdateLoggingConfiguration: request.firewallArn | response.firewallArn
aws_networkfirewall_resource_policy of network-firewall
  names resource_arn id
  update PutResourcePolicy, delete DeleteResourcePolicy: request.resourceArn
aws_networkfirewall_rule_group of network-firewall
  names name arn id
  arns stateful-rulegroup/ stateless-rulegroup/
  create CreateRuleGroup: request.ruleGroupName
  update UpdateRuleGroup, delete DeleteRuleGroup: request.ruleGroupName | request.ruleGroupArn
aws_secretsmanager_secret of secretsmanager
  names arn id name
  arns secret:
  create CreateSecret: response.aRN | response.arn
  update CancelRotateSecret RemoveRegionsFromReplication ReplicateSecretToRegions RestoreSecret
    StopReplicationToReplica UpdateSecret, delete DeleteSecret: response.aRN | response.arn | request.secretId
  update TagResource UntagResource: request.secretId
  update StartSecretVersionDelete EndSecretVersionDelete: additional.ARN | additional.SecretId | details.secretId
aws_secretsmanager_secret_policy of secretsmanager
  names secret_arn id
  parent aws_secretsmanager_secret
  update PutResourcePolicy, delete DeleteResourcePolicy: response.aRN | response.arn | request.secretId
aws_secretsmanager_secret_rotation of secretsmanager
  names secret_id id
  parent aws_secretsmanager_secret
  update RotateSecret: response.aRN | response.arn | request.secretId
# Of several versions none has a name that the call knows beforehand.
aws_secretsmanager_secret_version of secretsmanager
  names secret_id arn
  parent aws_secretsmanager_secret
  update PutSecretValue UpdateSecretVersionStage: response.aRN | response.arn | request.secretId
aws_securityhub_account of securityhub
  names @account
  create EnableSecurityHub, update UpdateSecurityHubConfiguration, delete DisableSecurityHub: account
aws_securityhub_action_target of securityhub
  names arn id
  arns action/
  create CreateActionTarget: response.actionTargetArn
  update UpdateActionTarget, delete DeleteActionTarget: request.actionTargetArn
aws_securityhub_insight of securityhub
  names arn id
  arns insight/
  create CreateInsight: response.insightArn
  update UpdateInsight: request.insightArn
  delete DeleteInsight: request.insightArn | response.insightArn
aws_securityhub_member of securityhub
  names account_id id
  create CreateMembers: request.accountDetails.accountId
  update DisassociateMembers InviteMembers, delete DeleteMembers: request.accountIds
aws_securityhub_organization_admin_account of securityhub
  names admin_account_id id
  create EnableOrganizationAdminAccount, delete DisableOrganizationAdminAccount: request.adminAccountId
aws_securityhub_organization_configuration of securityhub
  names @account
  update UpdateOrganizationConfiguration: account
aws_securityhub_product_subscription of securityhub
  names arn id
  create EnableImportFindingsForProduct: response.productSubscriptionArn
  delete DisableImportFindingsForProduct: request.productSubscriptionArn
aws_securityhub_standards_control of securityhub
  names standards_control_arn id
  update UpdateStandardsControl: request.standardsControlArn
aws_securityhub_standards_subscription of securityhub
  names id
  create BatchEnableStandards: response.standardsSubscriptions.standardsSubscriptionArn
  delete BatchDisableStandards: request.standardsSubscriptionArns
aws_shield_protection of shield
  names id arn
  arns protection/
  create CreateProtection: response.protectionId
  update AssociateHealthCheck DisassociateHealthCheck, delete DeleteProtection: request.protectionId
aws_wafv2_ip_set of wafv2
  names id arn
  arns regional/ipset/ global/ipset/
  create CreateIPSet: response.summary.id
  update UpdateIPSet, delete DeleteIPSet: request.id
aws_wafv2_regex_pattern_set of wafv2
  names id arn
  arns regional/regexpatternset/ global/regexpatternset/
  create CreateRegexPatternSet: response.summary.id
  update UpdateRegexPatternSet, delete DeleteRegexPatternSet: request.id
aws_wafv2_rule_group of wafv2
  names id arn
  arns regional/rulegroup/ global/rulegroup/
  create CreateRuleGroup: response.summary.id
  update UpdateRuleGroup, delete DeleteRuleGroup: request.id
aws_wafv2_web_acl of wafv2
  names id arn
  arns regional/webacl/ global/webacl/
  create CreateWebACL: response.summary.id
  update UpdateWebACL, delete DeleteWebACL: request.id
aws_wafv2_web_acl_association of wafv2
  names resource_arn
  create AssociateWebACL, delete DisassociateWebACL: request.resourceArn
aws_wafv2_web_acl_logging_configuration of wafv2
  names resource_arn id
  parent aws_wafv2_web_acl
  update PutLoggingConfiguration: request.loggingConfiguration.resourceArn
  delete DeleteLoggingConfiguration: request.resourceArn
""")
