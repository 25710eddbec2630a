"""RDS and what shares its API, ElastiCache, MemoryDB, Redshift, OpenSearch, DynamoDB and DAX."""

from agent.named import table

TYPES = table("""
aws_cloudsearch_domain of cloudsearch
  names name id arn
  arns domain/
  create CreateDomain, update DefineIndexField DeleteIndexField UpdateAvailabilityOptions UpdateDomainEndpointOptions
    UpdateScalingParameters UpdateServiceAccessPolicies, delete DeleteDomain: request.domainName
aws_dax_cluster of dax
  names cluster_name id arn
  arns cache/
  create CreateCluster, update DecreaseReplicationFactor IncreaseReplicationFactor RebootNode UpdateCluster,
    delete DeleteCluster: request.clusterName
aws_db_cluster_snapshot of rds
  names db_cluster_snapshot_identifier id db_cluster_snapshot_arn
  arns cluster-snapshot:
  create CopyDBClusterSnapshot: request.targetDBClusterSnapshotIdentifier
  create CreateDBClusterSnapshot, update ModifyDBClusterSnapshotAttribute, delete DeleteDBClusterSnapshot:
    request.dBClusterSnapshotIdentifier
aws_db_event_subscription of rds
  names name id arn
  arns es:
  create CreateEventSubscription, update AddSourceIdentifierToSubscription ModifyEventSubscription
    RemoveSourceIdentifierFromSubscription, delete DeleteEventSubscription: request.subscriptionName
aws_db_option_group of rds
  names name id arn
  arns og:
  create CreateOptionGroup, update ModifyOptionGroup, delete DeleteOptionGroup: request.optionGroupName
  create CopyOptionGroup: request.targetOptionGroupIdentifier
aws_db_parameter_group of rds
  names name id arn
  arns pg:
  create CreateDBParameterGroup, update ModifyDBParameterGroup ResetDBParameterGroup, delete DeleteDBParameterGroup:
    request.dBParameterGroupName
  create CopyDBParameterGroup: request.targetDBParameterGroupIdentifier
aws_db_proxy of rds
  names name id arn
  arns db-proxy:
  create CreateDBProxy, update ModifyDBProxy, delete DeleteDBProxy: request.dBProxyName
aws_db_proxy_default_target_group of rds
  names db_proxy_name id
  parent aws_db_proxy
  update ModifyDBProxyTargetGroup: request.dBProxyName
aws_db_proxy_endpoint of rds
  names db_proxy_endpoint_name arn id
  arns db-proxy-endpoint:
  create CreateDBProxyEndpoint, update ModifyDBProxyEndpoint, delete DeleteDBProxyEndpoint: request.dBProxyEndpointName
# EC2-Classic's, gone from the provider since version 5; its calls are still answered.
aws_db_security_group of rds
  names name id arn
  arns secgrp:
  create CreateDBSecurityGroup, update AuthorizeDBSecurityGroupIngress RevokeDBSecurityGroupIngress,
    delete DeleteDBSecurityGroup: request.dBSecurityGroupName
aws_db_snapshot of rds
  names db_snapshot_identifier id db_snapshot_arn
  arns snapshot:
  create CopyDBSnapshot: request.targetDBSnapshotIdentifier
  create CreateDBSnapshot, update ModifyDBSnapshot ModifyDBSnapshotAttribute, delete DeleteDBSnapshot:
    request.dBSnapshotIdentifier
aws_db_snapshot_copy = aws_db_snapshot
  names target_db_snapshot_identifier id db_snapshot_arn
aws_db_subnet_group of rds
  names name id arn
  arns subgrp:
  create CreateDBSubnetGroup, update ModifyDBSubnetGroup, delete DeleteDBSubnetGroup: request.dBSubnetGroupName
aws_docdb_cluster = aws_rds_cluster
aws_docdb_cluster_instance = aws_db_instance
  names identifier id arn dbi_resource_id
aws_docdb_cluster_parameter_group = aws_rds_cluster_parameter_group
aws_docdb_cluster_snapshot = aws_db_cluster_snapshot
aws_docdb_global_cluster = aws_rds_global_cluster
aws_docdb_subnet_group = aws_db_subnet_group
aws_dynamodb_global_table of dynamodb
  names name id arn
  create CreateGlobalTable, update UpdateGlobalTable UpdateGlobalTableSettings: request.globalTableName
aws_dynamodb_kinesis_streaming_destination of dynamodb
  names table_name+stream_arn
  parent aws_dynamodb_table
  create EnableKinesisStreamingDestination, delete DisableKinesisStreamingDestination:
    request.tableName + request.streamArn
aws_dynamodb_resource_policy of dynamodb
  names resource_arn id
  update PutResourcePolicy, delete DeleteResourcePolicy: request.resourceArn
aws_dynamodb_contributor_insights of dynamodb
  names table_name
  parent aws_dynamodb_table
  update UpdateContributorInsights: request.tableName
aws_elasticache_cluster of elasticache
  names cluster_id id arn
  arns cluster:
  create CreateCacheCluster, update ModifyCacheCluster RebootCacheCluster, delete DeleteCacheCluster:
    request.cacheClusterId
aws_elasticache_parameter_group of elasticache
  names name id arn
  arns parametergroup:
  create CreateCacheParameterGroup, update ModifyCacheParameterGroup ResetCacheParameterGroup,
    delete DeleteCacheParameterGroup: request.cacheParameterGroupName
aws_elasticache_replication_group of elasticache
  names replication_group_id id arn
  arns replicationgroup:
  create CreateReplicationGroup, update DecreaseReplicaCount IncreaseReplicaCount ModifyReplicationGroup
    ModifyReplicationGroupShardConfiguration TestFailover, delete DeleteReplicationGroup: request.replicationGroupId
aws_elasticache_serverless_cache of elasticache
  names name id arn
  arns serverlesscache:
  create CreateServerlessCache, update ModifyServerlessCache, delete DeleteServerlessCache: request.serverlessCacheName
aws_elasticache_subnet_group of elasticache
  names name id arn
  arns subnetgroup:
  create CreateCacheSubnetGroup, update ModifyCacheSubnetGroup, delete DeleteCacheSubnetGroup:
    request.cacheSubnetGroupName
aws_elasticache_user of elasticache
  names user_id id arn
  arns user:
  create CreateUser, update ModifyUser, delete DeleteUser: request.userId
aws_elasticache_user_group of elasticache
  names user_group_id id arn
  arns usergroup:
  create CreateUserGroup, update ModifyUserGroup, delete DeleteUserGroup: request.userGroupId
aws_elasticsearch_domain = aws_opensearch_domain
aws_elasticsearch_domain_policy = aws_opensearch_domain
  names domain_name id
aws_memorydb_acl of memorydb
  names name id arn
  create CreateACL, update UpdateACL, delete DeleteACL: request.aCLName
aws_memorydb_cluster of memorydb
  names name id arn
  create CreateCluster, update UpdateCluster, delete DeleteCluster: request.clusterName
aws_memorydb_user of memorydb
  names user_name id arn
  create CreateUser, update UpdateUser, delete DeleteUser: request.userName
aws_neptune_cluster = aws_rds_cluster
aws_neptune_cluster_instance = aws_db_instance
  names identifier id arn dbi_resource_id
aws_neptune_cluster_parameter_group = aws_rds_cluster_parameter_group
aws_neptune_cluster_snapshot = aws_db_cluster_snapshot
aws_neptune_global_cluster = aws_rds_global_cluster
aws_neptune_parameter_group = aws_db_parameter_group
aws_neptune_subnet_group = aws_db_subnet_group
aws_opensearch_domain of es
  names domain_name arn id
  arns domain/
  create CreateDomain CreateElasticsearchDomain, update StartElasticsearchServiceSoftwareUpdate
    StartServiceSoftwareUpdate UpdateDomainConfig UpdateElasticsearchDomainConfig UpgradeDomain
    UpgradeElasticsearchDomain, delete DeleteDomain DeleteElasticsearchDomain: request.domainName
# Set through UpdateDomainConfig, so never told apart from the domain.
aws_opensearch_domain_policy = aws_opensearch_domain
  names domain_name id
aws_opensearchserverless_access_policy of aoss
  names type+name id
  create CreateAccessPolicy, update UpdateAccessPolicy, delete DeleteAccessPolicy: request.type + request.name
aws_opensearchserverless_collection of aoss
  names id arn
  arns collection/
  create CreateCollection: response.createCollectionDetail.id
  update UpdateCollection, delete DeleteCollection: request.id
aws_opensearchserverless_security_policy of aoss
  names type+name
  create CreateSecurityPolicy, update UpdateSecurityPolicy, delete DeleteSecurityPolicy: request.type + request.name
aws_rds_cluster of rds
  names cluster_identifier id arn cluster_resource_id
  arns cluster:
  create CreateDBCluster RestoreDBClusterFromS3 RestoreDBClusterFromSnapshot RestoreDBClusterToPointInTime,
    update BacktrackDBCluster FailoverDBCluster ModifyCurrentDBClusterCapacity ModifyDBCluster
    PromoteReadReplicaDBCluster RebootDBCluster StartDBCluster StopDBCluster, delete DeleteDBCluster:
    request.dBClusterIdentifier
  update DisableHttpEndpoint EnableHttpEndpoint: request.resourceArn
  update DeleteDBClusterAutomatedBackup: request.dbClusterResourceId
aws_rds_cluster_activity_stream of rds
  names resource_arn id
  parent aws_rds_cluster
  create StartActivityStream, update ModifyActivityStream, delete StopActivityStream: request.resourceArn
aws_rds_cluster_endpoint of rds
  names cluster_endpoint_identifier id arn
  arns cluster-endpoint:
  create CreateDBClusterEndpoint, update ModifyDBClusterEndpoint, delete DeleteDBClusterEndpoint:
    request.dBClusterEndpointIdentifier
aws_rds_cluster_instance = aws_db_instance
  names identifier id arn dbi_resource_id
aws_rds_cluster_parameter_group of rds
  names name id arn
  arns cluster-pg:
  create CreateDBClusterParameterGroup, update ModifyDBClusterParameterGroup ResetDBClusterParameterGroup,
    delete DeleteDBClusterParameterGroup: request.dBClusterParameterGroupName
  create CopyDBClusterParameterGroup: request.targetDBClusterParameterGroupIdentifier
aws_rds_cluster_role_association of rds
  names db_cluster_identifier+role_arn id
  parent aws_rds_cluster
  create AddRoleToDBCluster, delete RemoveRoleFromDBCluster: request.dBClusterIdentifier + request.roleArn
aws_rds_cluster_snapshot_copy = aws_db_cluster_snapshot
  names target_db_cluster_snapshot_identifier id db_cluster_snapshot_arn
aws_rds_export_task of rds
  names export_task_identifier id
  create StartExportTask, delete CancelExportTask: request.exportTaskIdentifier | response.exportTaskIdentifier
aws_rds_global_cluster of rds
  names global_cluster_identifier id arn
  arns global-cluster:
  create CreateGlobalCluster, update FailoverGlobalCluster ModifyGlobalCluster RemoveFromGlobalCluster
    SwitchoverGlobalCluster, delete DeleteGlobalCluster: request.globalClusterIdentifier
# Whether an instance runs is nothing its own type configures.
aws_rds_instance_state of rds
  names identifier
  parent aws_db_instance
  update RebootDBInstance StartDBInstance StopDBInstance: request.dBInstanceIdentifier
aws_redshift_cluster of redshift
  names cluster_identifier id arn
  arns cluster:
  create CreateCluster RestoreFromClusterSnapshot, update CancelResize DisableLogging DisableSnapshotCopy EnableLogging
    EnableSnapshotCopy FailoverPrimaryCompute ModifyCluster ModifyClusterDbRevision ModifyClusterIamRoles
    ModifyClusterMaintenance ModifyClusterSnapshotSchedule ModifySnapshotCopyRetentionPeriod PauseCluster RebootCluster
    ResizeCluster ResumeCluster RotateEncryptionKey, delete DeleteCluster: request.clusterIdentifier
aws_redshift_parameter_group of redshift
  names name id arn
  arns parametergroup:
  create CreateClusterParameterGroup, update ModifyClusterParameterGroup ResetClusterParameterGroup,
    delete DeleteClusterParameterGroup: request.parameterGroupName
aws_redshift_subnet_group of redshift
  names name id arn
  arns subnetgroup:
  create CreateClusterSubnetGroup, update ModifyClusterSubnetGroup, delete DeleteClusterSubnetGroup:
    request.clusterSubnetGroupName
aws_redshiftserverless_namespace of redshift-serverless
  names namespace_name id arn
  create CreateNamespace, update UpdateNamespace, delete DeleteNamespace: request.namespaceName
aws_redshiftserverless_workgroup of redshift-serverless
  names workgroup_name id arn
  create CreateWorkgroup, update UpdateWorkgroup, delete DeleteWorkgroup: request.workgroupName
""")
