"""ECS, EKS, ECR, App Mesh, App Runner and Cloud Map."""

from agent.named import table

TYPES = table("""
aws_apprunner_service of apprunner
  arns service/
  create CreateService: response.service.serviceArn
  update PauseService ResumeService StartDeployment UpdateService, delete DeleteService: request.serviceArn
aws_appmesh_gateway_route of appmesh
  names mesh_name+virtual_gateway_name+name arn
  create CreateGatewayRoute, update UpdateGatewayRoute, delete DeleteGatewayRoute:
    request.meshName + request.virtualGatewayName + request.gatewayRouteName
aws_appmesh_mesh of appmesh
  names name id arn
  create CreateMesh, update UpdateMesh, delete DeleteMesh: request.meshName
aws_appmesh_route of appmesh
  names mesh_name+virtual_router_name+name arn
  create CreateRoute, update UpdateRoute, delete DeleteRoute:
    request.meshName + request.virtualRouterName + request.routeName
aws_appmesh_virtual_gateway of appmesh
  names mesh_name+name arn
  create CreateVirtualGateway, update UpdateVirtualGateway, delete DeleteVirtualGateway:
    request.meshName + request.virtualGatewayName
aws_appmesh_virtual_node of appmesh
  names mesh_name+name arn
  create CreateVirtualNode, update UpdateVirtualNode, delete DeleteVirtualNode:
    request.meshName + request.virtualNodeName
aws_appmesh_virtual_router of appmesh
  names mesh_name+name arn
  create CreateVirtualRouter, update UpdateVirtualRouter, delete DeleteVirtualRouter:
    request.meshName + request.virtualRouterName
aws_appmesh_virtual_service of appmesh
  names mesh_name+name arn
  create CreateVirtualService, update UpdateVirtualService, delete DeleteVirtualService:
    request.meshName + request.virtualServiceName
aws_ecr_lifecycle_policy of ecr
  names repository id
  parent aws_ecr_repository
  update PutLifecyclePolicy, delete DeleteLifecyclePolicy: request.repositoryName
aws_ecr_pull_through_cache_rule of ecr
  names ecr_repository_prefix id
  create CreatePullThroughCacheRule, update UpdatePullThroughCacheRule, delete DeletePullThroughCacheRule:
    request.ecrRepositoryPrefix
aws_ecr_registry_policy of ecr
  names @account
  update PutRegistryPolicy, delete DeleteRegistryPolicy: account
aws_ecr_registry_scanning_configuration of ecr
  names @account
  update PutRegistryScanningConfiguration: account
aws_ecr_replication_configuration of ecr
  names @account
  update PutReplicationConfiguration: account
aws_ecr_repository of ecr
  names name id arn
  arns repository/
  create CreateRepository, update PutImageScanningConfiguration PutImageTagMutability, delete DeleteRepository:
    request.repositoryName
aws_ecr_repository_policy of ecr
  names repository id
  parent aws_ecr_repository
  update SetRepositoryPolicy, delete DeleteRepositoryPolicy: request.repositoryName
aws_ecs_capacity_provider of ecs
  names name arn id
  arns capacity-provider/
  create CreateCapacityProvider, update UpdateCapacityProvider: request.name
  delete DeleteCapacityProvider: request.capacityProvider
aws_ecs_cluster of ecs
  names name arn id
  arns cluster/
  create CreateCluster: request.clusterName='default'
  update UpdateCluster UpdateClusterSettings, delete DeleteCluster: request.cluster
aws_ecs_cluster_capacity_providers of ecs
  names cluster_name id
  parent aws_ecs_cluster
  update PutClusterCapacityProviders: request.cluster
aws_ecs_service of ecs
  names cluster+name id arn
  arns service/
  create CreateService: request.cluster='default' + request.serviceName
  update UpdateService UpdateServicePrimaryTaskSet, delete DeleteService: request.cluster='default' + request.service
aws_ecs_task_definition of ecs
  names family id arn
  arns task-definition/
  create RegisterTaskDefinition: request.family
  delete DeregisterTaskDefinition: request.taskDefinition
aws_ecs_task_set of ecs
  names cluster+service+task_set_id arn
  parent aws_ecs_service
  create CreateTaskSet: request.cluster + request.service + response.taskSet.id
  update UpdateTaskSet, delete DeleteTaskSet: request.cluster + request.service + request.taskSet
aws_eks_access_entry of eks
  names cluster_name+principal_arn
  arns access-entry/
  parent aws_eks_cluster
  create CreateAccessEntry, update UpdateAccessEntry, delete DeleteAccessEntry:
    request.clusterName/request.name + request.principalArn
aws_eks_access_policy_association of eks
  names cluster_name+principal_arn+policy_arn
  parent aws_eks_cluster
  create AssociateAccessPolicy, delete DisassociateAccessPolicy:
    request.clusterName/request.name + request.principalArn + request.policyArn
aws_eks_addon of eks
  names cluster_name+addon_name id arn
  arns addon/
  parent aws_eks_cluster
  create CreateAddon, update UpdateAddon, delete DeleteAddon: request.clusterName/request.name + request.addonName
aws_eks_cluster of eks
  names name id arn
  arns cluster/
  create CreateCluster, update UpdateClusterConfig UpdateClusterVersion, delete DeleteCluster: request.name
  update AssociateEncryptionConfig: request.clusterName/request.name
aws_eks_fargate_profile of eks
  names cluster_name+fargate_profile_name id arn
  arns fargateprofile/
  create CreateFargateProfile, delete DeleteFargateProfile:
    request.clusterName/request.name + request.fargateProfileName
aws_eks_identity_provider_config of eks
  names cluster_name+oidc.identity_provider_config_name arn
  arns identityproviderconfig/
  parent aws_eks_cluster
  create AssociateIdentityProviderConfig: request.clusterName/request.name + request.oidc.identityProviderConfigName
  delete DisassociateIdentityProviderConfig: request.clusterName/request.name + request.identityProviderConfig.name
aws_eks_node_group of eks
  names cluster_name+node_group_name id arn
  arns nodegroup/
  create CreateNodegroup, update UpdateNodegroupConfig UpdateNodegroupVersion, delete DeleteNodegroup:
    request.clusterName/request.name + request.nodegroupName
aws_eks_pod_identity_association of eks
  names cluster_name+association_id association_arn
  arns podidentityassociation/
  parent aws_eks_cluster
  create CreatePodIdentityAssociation: request.clusterName + response.association.associationId
  update UpdatePodIdentityAssociation, delete DeletePodIdentityAssociation: request.clusterName + request.associationId
aws_service_discovery_http_namespace of servicediscovery
  arns namespace/
  update UpdateHttpNamespace: request.id
aws_service_discovery_private_dns_namespace of servicediscovery
  update UpdatePrivateDnsNamespace: request.id
aws_service_discovery_public_dns_namespace of servicediscovery
  update UpdatePublicDnsNamespace: request.id
aws_service_discovery_service of servicediscovery
  arns service/
  create CreateService: response.service.id
  update UpdateService, delete DeleteService: request.id
""")
