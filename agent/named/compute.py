"""EC2's machines, images and volumes, Auto Scaling, Elastic Load Balancing, and what runs on them."""

from agent.named import table

TYPES = table("""
aws_alb = aws_lb
aws_alb_listener = aws_lb_listener
aws_alb_listener_certificate = aws_lb_listener_certificate
aws_alb_listener_rule = aws_lb_listener_rule
aws_alb_target_group = aws_lb_target_group
aws_alb_target_group_attachment = aws_lb_target_group_attachment
aws_ami of ec2
  arns image/
  prefix ami-
  create CopyImage CreateImage RegisterImage: response.imageId
  update DisableImage DisableImageDeprecation DisableImageDeregistrationProtection EnableImage EnableImageDeprecation
    EnableImageDeregistrationProtection ModifyImageAttribute ResetImageAttribute, delete DeregisterImage:
    request.imageId
aws_ami_copy = aws_ami
aws_ami_from_instance = aws_ami
# ModifyImageAttribute sets a description too: then it is the image's.
aws_ami_launch_permission of ec2
  names image_id+account_id image_id+group image_id+organization_arn image_id+organizational_unit_arn id
  parent aws_ami
  update ModifyImageAttribute:
    request.imageId + request.launchPermission.add.userId/request.launchPermission.add.group
    | request.imageId + request.launchPermission.remove.userId/request.launchPermission.remove.group
    | request.imageId + request.launchPermission.add.organizationArn/request.launchPermission.remove.organizationArn
aws_appautoscaling_policy of autoscaling
  names service_namespace+resource_id+scalable_dimension+name arn
  parent aws_appautoscaling_target
  update PutScalingPolicy, delete DeleteScalingPolicy:
    request.serviceNamespace + request.resourceId + request.scalableDimension + request.policyName
aws_appautoscaling_scheduled_action of autoscaling
  names service_namespace+resource_id+scalable_dimension+name arn
  parent aws_appautoscaling_target
  update PutScheduledAction, delete DeleteScheduledAction:
    request.serviceNamespace + request.resourceId + request.scalableDimension + request.scheduledActionName
aws_appautoscaling_target of autoscaling
  names service_namespace+resource_id+scalable_dimension arn
  update RegisterScalableTarget, delete DeregisterScalableTarget:
    request.serviceNamespace + request.resourceId + request.scalableDimension
aws_autoscaling_group of autoscaling
  names name id arn
  create CreateAutoScalingGroup, delete DeleteAutoScalingGroup: request.autoScalingGroupName
  update AttachInstances AttachLoadBalancers AttachLoadBalancerTargetGroups AttachTrafficSources DetachInstances
    DetachLoadBalancers DetachLoadBalancerTargetGroups DetachTrafficSources DisableMetricsCollection
    EnableMetricsCollection EnterStandby ExitStandby PutNotificationConfiguration DeleteNotificationConfiguration
    PutWarmPool DeleteWarmPool ResumeProcesses SetDesiredCapacity SetInstanceProtection StartInstanceRefresh
    SuspendProcesses UpdateAutoScalingGroup: request.autoScalingGroupName
  update CreateOrUpdateTags DeleteTags: request.tags.resourceId
aws_autoscaling_lifecycle_hook of autoscaling
  names autoscaling_group_name+name
  parent aws_autoscaling_group
  update PutLifecycleHook, delete DeleteLifecycleHook: request.autoScalingGroupName + request.lifecycleHookName
aws_autoscaling_policy of autoscaling
  names autoscaling_group_name+name arn
  parent aws_autoscaling_group
  update PutScalingPolicy, delete DeletePolicy: request.autoScalingGroupName + request.policyName
aws_autoscaling_schedule of autoscaling
  names autoscaling_group_name+scheduled_action_name arn
  parent aws_autoscaling_group
  update PutScheduledUpdateGroupAction, delete DeleteScheduledAction:
    request.autoScalingGroupName + request.scheduledActionName
aws_batch_compute_environment of batch
  names compute_environment_name name arn id
  arns compute-environment/
  create CreateComputeEnvironment: request.computeEnvironmentName
  update UpdateComputeEnvironment, delete DeleteComputeEnvironment: request.computeEnvironment
aws_batch_job_definition of batch
  names name arn id
  arns job-definition/
  create RegisterJobDefinition: request.jobDefinitionName
  delete DeregisterJobDefinition: request.jobDefinition
aws_batch_job_queue of batch
  names name arn id
  arns job-queue/
  create CreateJobQueue: request.jobQueueName
  update UpdateJobQueue, delete DeleteJobQueue: request.jobQueue
aws_ebs_snapshot of ec2
  arns snapshot/
  prefix snap-
  create CopySnapshot CreateSnapshot: response.snapshotId
  create CreateSnapshots: response.snapshotSet.snapshotId
  update LockSnapshot ModifySnapshotAttribute ModifySnapshotTier ResetSnapshotAttribute RestoreSnapshotTier
    UnlockSnapshot, delete DeleteSnapshot: request.snapshotId
aws_ebs_snapshot_copy = aws_ebs_snapshot
aws_ebs_volume of ec2
  arns volume/
  prefix vol-
  create CreateVolume: response.volumeId
  update ModifyVolume ModifyVolumeAttribute, delete DeleteVolume: request.volumeId
aws_ec2_capacity_reservation of ec2
  arns capacity-reservation/
  prefix cr-
  create CreateCapacityReservation: response.capacityReservation.capacityReservationId
  update ModifyCapacityReservation, delete CancelCapacityReservation: request.capacityReservationId
aws_ec2_fleet of ec2
  arns fleet/
  prefix fleet-
  create CreateFleet: response.fleetId
  update ModifyFleet, delete DeleteFleets: request.fleetId
aws_ec2_host of ec2
  arns dedicated-host/
  prefix h-
  create AllocateHosts: response.hostIdSet
  update ModifyHosts, delete ReleaseHosts: request.hostId
aws_ec2_instance_connect_endpoint of ec2
  arns instance-connect-endpoint/
  prefix eice-
  create CreateInstanceConnectEndpoint: response.instanceConnectEndpoint.instanceConnectEndpointId
  delete DeleteInstanceConnectEndpoint: request.instanceConnectEndpointId
# Whether an instance runs is nothing its own type configures.
aws_ec2_instance_state of ec2
  names instance_id id
  parent aws_instance
  update StartInstances StopInstances: request.instancesSet.instanceId
aws_ec2_serial_console_access of ec2
  names @account
  update DisableSerialConsoleAccess EnableSerialConsoleAccess: account
aws_ebs_encryption_by_default of ec2
  names @account
  update DisableEbsEncryptionByDefault EnableEbsEncryptionByDefault: account
aws_ebs_default_kms_key of ec2
  names @account
  update ModifyEbsDefaultKmsKeyId ResetEbsDefaultKmsKeyId: account
aws_ebs_snapshot_block_public_access of ec2
  names @account
  update DisableSnapshotBlockPublicAccess EnableSnapshotBlockPublicAccess: account
aws_ec2_image_block_public_access of ec2
  names @account
  update DisableImageBlockPublicAccess EnableImageBlockPublicAccess: account
aws_ec2_instance_metadata_defaults of ec2
  names @account
  update ModifyInstanceMetadataDefaults: account
aws_elastic_beanstalk_application of elasticbeanstalk
  names name arn
  arns application/
  create CreateApplication, update UpdateApplication UpdateApplicationResourceLifecycle, delete DeleteApplication:
    request.applicationName
aws_elastic_beanstalk_environment of elasticbeanstalk
  names id name arn
  arns environment/
  create CreateEnvironment: response.environmentId
  update AbortEnvironmentUpdate RebuildEnvironment: request.environmentId | request.environmentName
  update UpdateEnvironment, delete TerminateEnvironment:
    request.environmentId | response.environmentId | request.environmentName
aws_elb of elasticloadbalancing
  names name id arn
  arns loadbalancer/=
  create CreateLoadBalancer, delete DeleteLoadBalancer: request.loadBalancerName
  update AddTags RemoveTags: request.loadBalancerNames
  update ApplySecurityGroupsToLoadBalancer AttachLoadBalancerToSubnets ConfigureHealthCheck CreateLoadBalancerListeners
    DeleteLoadBalancerListeners DetachLoadBalancerFromSubnets DisableAvailabilityZonesForLoadBalancer
    EnableAvailabilityZonesForLoadBalancer ModifyLoadBalancerAttributes SetLoadBalancerListenerSSLCertificate
    SetLoadBalancerPoliciesForBackendServer SetLoadBalancerPoliciesOfListener: request.loadBalancerName
aws_elb_attachment of elasticloadbalancing
  names elb+instance
  parent aws_elb
  create RegisterInstancesWithLoadBalancer, delete DeregisterInstancesFromLoadBalancer:
    request.loadBalancerName + request.instances.instanceId
aws_key_pair of ec2
  names key_name id key_pair_id arn
  arns key-pair/
  prefix key-
  create CreateKeyPair ImportKeyPair: request.keyName
  delete DeleteKeyPair: request.keyName | request.keyPairId
aws_launch_configuration of autoscaling
  names name id arn
  create CreateLaunchConfiguration, delete DeleteLaunchConfiguration: request.launchConfigurationName
aws_launch_template of ec2
  names id name arn
  arns launch-template/
  prefix lt-
  create CreateLaunchTemplate: response.launchTemplate.launchTemplateId
  update CreateLaunchTemplateVersion DeleteLaunchTemplateVersions ModifyLaunchTemplate, delete DeleteLaunchTemplate:
    request.launchTemplateId | request.launchTemplateName
aws_lb of elasticloadbalancing
  arns loadbalancer/app/ loadbalancer/net/ loadbalancer/gwy/
  create CreateLoadBalancer: response.loadBalancers.loadBalancerArn
  update ModifyCapacityReservation ModifyLoadBalancerAttributes SetIpAddressType SetSecurityGroups SetSubnets,
    delete DeleteLoadBalancer: request.loadBalancerArn
aws_lb_listener of elasticloadbalancing
  arns listener/
  create CreateListener: response.listeners.listenerArn
  update ModifyListener ModifyListenerAttributes, delete DeleteListener: request.listenerArn
aws_lb_listener_certificate of elasticloadbalancing
  names listener_arn+certificate_arn
  parent aws_lb_listener
  create AddListenerCertificates, delete RemoveListenerCertificates:
    request.listenerArn + request.certificates.certificateArn
aws_lb_listener_rule of elasticloadbalancing
  arns listener-rule/
  create CreateRule: response.rules.ruleArn
  update ModifyRule, delete DeleteRule: request.ruleArn
  update SetRulePriorities: request.rulePriorities.ruleArn
aws_lb_target_group of elasticloadbalancing
  arns targetgroup/
  create CreateTargetGroup: response.targetGroups.targetGroupArn
  update ModifyTargetGroup ModifyTargetGroupAttributes, delete DeleteTargetGroup: request.targetGroupArn
aws_lb_target_group_attachment of elasticloadbalancing
  names target_group_arn+target_id
  parent aws_lb_target_group
  create RegisterTargets, delete DeregisterTargets: request.targetGroupArn + request.targets.id
aws_lb_trust_store of elasticloadbalancing
  arns truststore/
  create CreateTrustStore: response.trustStores.trustStoreArn
  update AddTrustStoreRevocations ModifyTrustStore RemoveTrustStoreRevocations, delete DeleteTrustStore:
    request.trustStoreArn
aws_load_balancer_policy of elasticloadbalancing
  names load_balancer_name+policy_name
  parent aws_elb
  create CreateAppCookieStickinessPolicy CreateLBCookieStickinessPolicy CreateLoadBalancerPolicy,
    delete DeleteLoadBalancerPolicy: request.loadBalancerName + request.policyName
aws_placement_group of ec2
  names name id placement_group_id arn
  arns placement-group/
  prefix pg-
  create CreatePlacementGroup, delete DeletePlacementGroup: request.groupName
aws_snapshot_create_volume_permission of ec2
  names snapshot_id+account_id
  parent aws_ebs_snapshot
  update ModifySnapshotAttribute:
    request.snapshotId + request.createVolumePermission.add.userId/request.createVolumePermission.add.group
    | request.snapshotId + request.createVolumePermission.remove.userId/request.createVolumePermission.remove.group
aws_spot_fleet_request of ec2
  names id
  arns spot-fleet-request/
  prefix sfr-
  create RequestSpotFleet: response.spotFleetRequestId
  update ModifySpotFleetRequest, delete CancelSpotFleetRequests: request.spotFleetRequestId
aws_volume_attachment of ec2
  names volume_id+instance_id id
  parent aws_ebs_volume
  create AttachVolume, delete DetachVolume:
    request.volumeId + request.instanceId | response.volumeId + response.instanceId
""")
