"""The settings of S3 buckets that have a type of their own, EFS, Backup and Transfer Family."""

from agent.named import table

TYPES = table("""
aws_backup_plan of backup
  names id arn
  arns backup-plan:
  create CreateBackupPlan: response.backupPlanId
  update UpdateBackupPlan, delete DeleteBackupPlan: request.backupPlanId
aws_backup_region_settings of backup
  names @account
  update UpdateRegionSettings: account
aws_backup_selection of backup
  names plan_id+id
  parent aws_backup_plan
  create CreateBackupSelection: request.backupPlanId + response.selectionId
  delete DeleteBackupSelection: request.backupPlanId + request.selectionId
aws_backup_vault of backup
  names name id arn
  arns backup-vault:
  create CreateBackupVault, delete DeleteBackupVault: request.backupVaultName
aws_backup_vault_lock_configuration of backup
  names backup_vault_name id
  parent aws_backup_vault
  update PutBackupVaultLockConfiguration, delete DeleteBackupVaultLockConfiguration: request.backupVaultName
aws_backup_vault_notifications of backup
  names backup_vault_name id
  parent aws_backup_vault
  update PutBackupVaultNotifications, delete DeleteBackupVaultNotifications: request.backupVaultName
aws_backup_vault_policy of backup
  names backup_vault_name id
  parent aws_backup_vault
  update PutBackupVaultAccessPolicy, delete DeleteBackupVaultAccessPolicy: request.backupVaultName
aws_efs_access_point of elasticfilesystem
  arns access-point/
  create CreateAccessPoint: response.accessPointId
  delete DeleteAccessPoint: request.accessPointId
aws_efs_backup_policy of elasticfilesystem
  names file_system_id id
  parent aws_efs_file_system
  update PutBackupPolicy: request.fileSystemId
aws_efs_file_system of elasticfilesystem
  names id arn
  arns file-system/
  create CreateFileSystem: response.fileSystemId
  update PutLifecycleConfiguration UpdateFileSystem UpdateFileSystemProtection, delete DeleteFileSystem:
    request.fileSystemId
aws_efs_file_system_policy of elasticfilesystem
  names file_system_id id
  parent aws_efs_file_system
  update PutFileSystemPolicy, delete DeleteFileSystemPolicy: request.fileSystemId
aws_efs_mount_target of elasticfilesystem
  names id
  create CreateMountTarget: response.mountTargetId
  update ModifyMountTargetSecurityGroups, delete DeleteMountTarget: request.mountTargetId
aws_efs_replication_configuration of elasticfilesystem
  names source_file_system_id id
  parent aws_efs_file_system
  create CreateReplicationConfiguration, delete DeleteReplicationConfiguration: request.sourceFileSystemId
aws_s3_access_point of s3
  names name arn id
  arns accesspoint/
  create CreateAccessPoint, update PutAccessPointPolicy DeleteAccessPointPolicy, delete DeleteAccessPoint: request.name
aws_s3_account_public_access_block of s3
  names @account
  update PutAccountPublicAccessBlock, delete DeleteAccountPublicAccessBlock: account
aws_s3_bucket_accelerate_configuration of s3
  names bucket
  parent aws_s3_bucket
  update PutAccelerateConfiguration PutBucketAccelerateConfiguration: request.bucketName
aws_s3_bucket_acl of s3
  names bucket
  parent aws_s3_bucket
  update PutBucketAcl: request.bucketName
aws_s3_bucket_analytics_configuration of s3
  names bucket+name bucket
  parent aws_s3_bucket
  update PutBucketAnalyticsConfiguration, delete DeleteBucketAnalyticsConfiguration:
    request.bucketName + request.id | request.bucketName
aws_s3_bucket_cors_configuration of s3
  names bucket
  parent aws_s3_bucket
  update PutBucketCors, delete DeleteBucketCors: request.bucketName
aws_s3_bucket_intelligent_tiering_configuration of s3
  names bucket+name bucket
  parent aws_s3_bucket
  update PutBucketIntelligentTieringConfiguration, delete DeleteBucketIntelligentTieringConfiguration:
    request.bucketName + request.id | request.bucketName
aws_s3_bucket_inventory of s3
  names bucket+name bucket
  parent aws_s3_bucket
  update PutBucketInventoryConfiguration, delete DeleteBucketInventoryConfiguration:
    request.bucketName + request.id | request.bucketName
aws_s3_bucket_lifecycle_configuration of s3
  names bucket
  parent aws_s3_bucket
  update PutBucketLifecycle PutBucketLifecycleConfiguration, delete DeleteBucketLifecycle: request.bucketName
aws_s3_bucket_logging of s3
  names bucket
  parent aws_s3_bucket
  update PutBucketLogging: request.bucketName
aws_s3_bucket_metric of s3
  names bucket+name bucket
  parent aws_s3_bucket
  update PutBucketMetricsConfiguration, delete DeleteBucketMetricsConfiguration:
    request.bucketName + request.id | request.bucketName
aws_s3_bucket_notification of s3
  names bucket
  parent aws_s3_bucket
  update PutBucketNotification PutBucketNotificationConfiguration: request.bucketName
aws_s3_bucket_object = aws_s3_object
aws_s3_bucket_object_lock_configuration of s3
  names bucket
  parent aws_s3_bucket
  update PutBucketObjectLockConfiguration PutObjectLockConfiguration: request.bucketName
aws_s3_bucket_ownership_controls of s3
  names bucket
  parent aws_s3_bucket
  update PutBucketOwnershipControls, delete DeleteBucketOwnershipControls: request.bucketName
aws_s3_bucket_replication_configuration of s3
  names bucket
  parent aws_s3_bucket
  update PutBucketReplication, delete DeleteBucketReplication: request.bucketName
aws_s3_bucket_request_payment_configuration of s3
  names bucket
  parent aws_s3_bucket
  update PutBucketRequestPayment: request.bucketName
aws_s3_bucket_website_configuration of s3
  names bucket
  parent aws_s3_bucket
  update PutBucketWebsite, delete DeleteBucketWebsite: request.bucketName
aws_s3_object of s3
  names bucket+key arn
  update CopyObject PutObject PutObjectAcl, delete DeleteObject: request.bucketName + request.key
aws_transfer_server of transfer
  names id arn
  arns server/
  create CreateServer: response.serverId
  update StartServer StopServer UpdateServer, delete DeleteServer: request.serverId
aws_transfer_user of transfer
  names server_id+user_name arn
  create CreateUser, update UpdateUser, delete DeleteUser: request.serverId + request.userName
""")
