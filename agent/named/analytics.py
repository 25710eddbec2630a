"""Glue, Athena, EMR, Lake Formation, SageMaker AI, Bedrock, MWAA, DMS and Direct Connect."""

from agent.named import table

TYPES = table("""
aws_athena_data_catalog of athena
  names name id arn
  arns datacatalog/
  create CreateDataCatalog, update UpdateDataCatalog, delete DeleteDataCatalog: request.name
aws_athena_named_query of athena
  names id
  create CreateNamedQuery: response.namedQueryId
  update UpdateNamedQuery, delete DeleteNamedQuery: request.namedQueryId
aws_athena_workgroup of athena
  names name id arn
  arns workgroup/
  create CreateWorkGroup: request.name
  update UpdateWorkGroup, delete DeleteWorkGroup: request.workGroup
aws_bedrock_custom_model of bedrock
  names custom_model_arn id
  delete DeleteCustomModel: request.modelIdentifier
aws_bedrock_guardrail of bedrock
  names guardrail_id guardrail_arn
  arns guardrail/
  create CreateGuardrail: response.guardrailId
  update UpdateGuardrail, delete DeleteGuardrail: request.guardrailIdentifier
aws_bedrock_guardrail_version of bedrock
  names guardrail_arn+version
  create CreateGuardrailVersion: request.guardrailIdentifier + response.version
aws_bedrock_model_invocation_logging_configuration of bedrock
  names @account
  update PutModelInvocationLoggingConfiguration, delete DeleteModelInvocationLoggingConfiguration: account
aws_bedrock_provisioned_model_throughput of bedrock
  names provisioned_model_arn
  create CreateProvisionedModelThroughput: response.provisionedModelArn
  update UpdateProvisionedModelThroughput, delete DeleteProvisionedModelThroughput: request.provisionedModelId
aws_bedrockagent_agent of bedrock
  names agent_id agent_arn id
  create CreateAgent: response.agent.agentId
  update PrepareAgent UpdateAgent, delete DeleteAgent: request.agentId
aws_bedrockagent_knowledge_base of bedrock
  names id arn
  create CreateKnowledgeBase: response.knowledgeBase.knowledgeBaseId
  update UpdateKnowledgeBase, delete DeleteKnowledgeBase: request.knowledgeBaseId
aws_dms_endpoint of dms
  names endpoint_arn endpoint_id id
  arns endpoint:
  create CreateEndpoint: response.endpoint.endpointArn
  update ModifyEndpoint, delete DeleteEndpoint: request.endpointArn
aws_dms_replication_instance of dms
  names replication_instance_arn replication_instance_id id
  arns rep:
  create CreateReplicationInstance: response.replicationInstance.replicationInstanceArn
  update ModifyReplicationInstance RebootReplicationInstance, delete DeleteReplicationInstance:
    request.replicationInstanceArn
aws_dms_replication_subnet_group of dms
  names replication_subnet_group_id id replication_subnet_group_arn
  arns subgrp:
  create CreateReplicationSubnetGroup, update ModifyReplicationSubnetGroup, delete DeleteReplicationSubnetGroup:
    request.replicationSubnetGroupIdentifier
aws_dms_replication_task of dms
  names replication_task_arn replication_task_id id
  arns task:
  create CreateReplicationTask: response.replicationTask.replicationTaskArn
  update ModifyReplicationTask StartReplicationTask StopReplicationTask, delete DeleteReplicationTask:
    request.replicationTaskArn
aws_dx_connection of directconnect
  names id arn
  arns dxcon/
  create CreateConnection: response.connectionId
  update UpdateConnection, delete DeleteConnection: request.connectionId
aws_dx_gateway of directconnect
  names id arn
  create CreateDirectConnectGateway: response.directConnectGateway.directConnectGatewayId
  update UpdateDirectConnectGateway, delete DeleteDirectConnectGateway: request.directConnectGatewayId
aws_dx_private_virtual_interface of directconnect
  create CreatePrivateVirtualInterface: response.virtualInterfaceId
aws_dx_public_virtual_interface of directconnect
  create CreatePublicVirtualInterface: response.virtualInterfaceId
aws_dx_transit_virtual_interface of directconnect
  create CreateTransitVirtualInterface: response.virtualInterface.virtualInterfaceId
aws_emr_cluster of elasticmapreduce
  names id arn
  arns cluster/
  create RunJobFlow: response.jobFlowId
  update AddInstanceFleet ModifyCluster ModifyInstanceFleet PutAutoScalingPolicy PutAutoTerminationPolicy
    PutManagedScalingPolicy RemoveAutoScalingPolicy RemoveAutoTerminationPolicy RemoveManagedScalingPolicy:
    request.clusterId
  update AddInstanceGroups: request.jobFlowId
  update SetKeepJobFlowAliveWhenNoSteps SetTerminationProtection SetUnhealthyNodeReplacement SetVisibleToAllUsers,
    delete TerminateJobFlows: request.jobFlowIds
aws_emr_block_public_access_configuration of elasticmapreduce
  names @account
  update PutBlockPublicAccessConfiguration: account
aws_emr_security_configuration of elasticmapreduce
  names name id
  create CreateSecurityConfiguration, delete DeleteSecurityConfiguration: request.name
aws_emr_studio of elasticmapreduce
  names id arn
  create CreateStudio: response.studioId
  update UpdateStudio, delete DeleteStudio: request.studioId
aws_glue_catalog_database of glue
  names name arn id
  arns database/
  create CreateDatabase: request.databaseInput.name
  update UpdateDatabase, delete DeleteDatabase: request.name
aws_glue_catalog_table of glue
  names database_name+name arn
  create CreateTable, update UpdateTable: request.databaseName + request.tableInput.name
  delete DeleteTable: request.databaseName + request.name
  delete BatchDeleteTable: request.databaseName + request.tablesToDelete
aws_glue_classifier of glue
  names name id
  delete DeleteClassifier: request.name
aws_glue_connection of glue
  names name arn
  arns connection/
  create CreateConnection: request.connectionInput.name
  update UpdateConnection: request.name
  delete DeleteConnection: request.connectionName
aws_glue_crawler of glue
  names name id arn
  arns crawler/
  create CreateCrawler, update UpdateCrawler, delete DeleteCrawler: request.name
  update StartCrawlerSchedule StopCrawlerSchedule UpdateCrawlerSchedule: request.crawlerName
aws_glue_data_catalog_encryption_settings of glue
  names catalog_id id
  update PutDataCatalogEncryptionSettings: request.catalogId | account
aws_glue_job of glue
  names name id arn
  arns job/
  create CreateJob: request.name
  update UpdateJob, delete DeleteJob: request.jobName
aws_glue_registry of glue
  names arn registry_name id
  arns registry/
  create CreateRegistry: response.registryArn
  update UpdateRegistry, delete DeleteRegistry: request.registryId.registryArn | request.registryId.registryName
aws_glue_resource_policy of glue
  names @account
  update PutResourcePolicy, delete DeleteResourcePolicy: account
aws_glue_schema of glue
  names arn id
  arns schema/
  create CreateSchema: response.schemaArn
  update UpdateSchema, delete DeleteSchema: request.schemaId.schemaArn | response.schemaArn
aws_glue_security_configuration of glue
  names name id
  create CreateSecurityConfiguration, delete DeleteSecurityConfiguration: request.name
aws_glue_trigger of glue
  names name id arn
  arns trigger/
  create CreateTrigger, update StartTrigger StopTrigger UpdateTrigger, delete DeleteTrigger: request.name
aws_glue_workflow of glue
  names name id arn
  arns workflow/
  create CreateWorkflow, update UpdateWorkflow, delete DeleteWorkflow: request.name
aws_lakeformation_data_lake_settings of lakeformation
  names @account
  update PutDataLakeSettings: account
aws_lakeformation_resource of lakeformation
  names arn
  create RegisterResource, update UpdateResource, delete DeregisterResource: request.resourceArn
aws_mwaa_environment of airflow
  names name arn id
  arns environment/
  create CreateEnvironment, update UpdateEnvironment, delete DeleteEnvironment: request.name
aws_sagemaker_domain of sagemaker
  names id arn
  arns domain/
  create CreateDomain: response.domainId | response.domainArn
  update UpdateDomain, delete DeleteDomain: request.domainId
aws_sagemaker_endpoint of sagemaker
  names name id arn
  arns endpoint/
  create CreateEndpoint, update UpdateEndpoint UpdateEndpointWeightsAndCapacities, delete DeleteEndpoint:
    request.endpointName
aws_sagemaker_endpoint_configuration of sagemaker
  names name id arn
  arns endpoint-config/
  create CreateEndpointConfig, delete DeleteEndpointConfig: request.endpointConfigName
aws_sagemaker_model of sagemaker
  names name id arn
  arns model/
  create CreateModel, delete DeleteModel: request.modelName
aws_sagemaker_notebook_instance of sagemaker
  names name id arn
  arns notebook-instance/
  create CreateNotebookInstance, update StartNotebookInstance StopNotebookInstance UpdateNotebookInstance,
    delete DeleteNotebookInstance: request.notebookInstanceName
aws_sagemaker_notebook_instance_lifecycle_configuration of sagemaker
  names name id arn
  create CreateNotebookInstanceLifecycleConfig, update UpdateNotebookInstanceLifecycleConfig,
    delete DeleteNotebookInstanceLifecycleConfig: request.notebookInstanceLifecycleConfigName
aws_sagemaker_user_profile of sagemaker
  names domain_id+user_profile_name arn
  create CreateUserProfile, update UpdateUserProfile, delete DeleteUserProfile:
    request.domainId + request.userProfileName
""")
