"""API Gateway, Lambda, AppSync, CloudFront, Route 53 and its Resolver, Global Accelerator, Amplify and ACM's users."""

from agent.named import table

TYPES = table("""
aws_amplify_app of amplify
  names id arn
  arns apps/
  create CreateApp: response.app.appId
  update UpdateApp, delete DeleteApp: request.appId
aws_amplify_branch of amplify
  names app_id+branch_name id
  parent aws_amplify_app
  create CreateBranch, update UpdateBranch, delete DeleteBranch: request.appId + request.branchName
aws_api_gateway_account of apigateway
  names @account
  update UpdateAccount: account
aws_api_gateway_api_key of apigateway
  names id arn
  create CreateApiKey: response.id
  update UpdateApiKey, delete DeleteApiKey: request.apiKey
aws_api_gateway_authorizer of apigateway
  names rest_api_id+id id
  parent aws_api_gateway_rest_api
  create CreateAuthorizer: request.restApiId + response.id
  update UpdateAuthorizer, delete DeleteAuthorizer: request.restApiId + request.authorizerId
aws_api_gateway_base_path_mapping of apigateway
  names domain_name+base_path id
  parent aws_api_gateway_domain_name
  create CreateBasePathMapping:
    request.domainName + request.basePath/request.createBasePathMappingInput.basePath='(none)'
  update UpdateBasePathMapping, delete DeleteBasePathMapping: request.domainName + request.basePath
aws_api_gateway_deployment of apigateway
  names rest_api_id+id id
  parent aws_api_gateway_rest_api
  create CreateDeployment: request.restApiId + response.id
  update UpdateDeployment, delete DeleteDeployment: request.restApiId + request.deploymentId
aws_api_gateway_domain_name of apigateway
  names domain_name id arn
  create CreateDomainName: request.domainName | request.createDomainNameInput.domainName
  update UpdateDomainName, delete DeleteDomainName: request.domainName
aws_api_gateway_gateway_response of apigateway
  names rest_api_id+response_type id
  parent aws_api_gateway_rest_api
  update PutGatewayResponse UpdateGatewayResponse, delete DeleteGatewayResponse:
    request.restApiId + request.responseType
aws_api_gateway_integration of apigateway
  names rest_api_id+resource_id+http_method id
  parent aws_api_gateway_rest_api
  update PutIntegration UpdateIntegration, delete DeleteIntegration:
    request.restApiId + request.resourceId + request.httpMethod
aws_api_gateway_method of apigateway
  names rest_api_id+resource_id+http_method id
  parent aws_api_gateway_rest_api
  update PutMethod UpdateMethod, delete DeleteMethod: request.restApiId + request.resourceId + request.httpMethod
aws_api_gateway_model of apigateway
  names rest_api_id+name id
  parent aws_api_gateway_rest_api
  create CreateModel: request.restApiId + request.name/request.createModelInput.name
  update UpdateModel, delete DeleteModel: request.restApiId + request.modelName
aws_api_gateway_resource of apigateway
  names rest_api_id+id id
  parent aws_api_gateway_rest_api
  create CreateResource: request.restApiId + response.id
  update UpdateResource, delete DeleteResource: request.restApiId + request.resourceId
aws_api_gateway_rest_api of apigateway
  names id arn
  arns /restapis/=
  create CreateRestApi ImportRestApi: response.id
  update PutRestApi UpdateRestApi, delete DeleteRestApi: request.restApiId
# Set through UpdateRestApi, so never told apart from the API.
aws_api_gateway_rest_api_policy = aws_api_gateway_rest_api
  names rest_api_id
aws_api_gateway_stage of apigateway
  names rest_api_id+stage_name id arn
  parent aws_api_gateway_rest_api
  create CreateStage: request.restApiId + request.stageName/request.createStageInput.stageName
  update FlushStageCache UpdateStage, delete DeleteStage: request.restApiId + request.stageName
aws_api_gateway_usage_plan of apigateway
  names id arn
  create CreateUsagePlan: response.id
  update UpdateUsagePlan, delete DeleteUsagePlan: request.usagePlanId | request.usageplanId
aws_api_gateway_vpc_link of apigateway
  names id arn
  create CreateVpcLink: response.id | response.vpcLinkId
  update UpdateVpcLink, delete DeleteVpcLink: request.vpcLinkId
aws_apigatewayv2_api of apigateway
  names id arn
  arns /apis/=
  create CreateApi ImportApi: response.apiId
  update DeleteCorsConfiguration ReimportApi UpdateApi, delete DeleteApi: request.apiId
aws_apigatewayv2_api_mapping of apigateway
  names domain_name+id id
  parent aws_api_gateway_domain_name
  create CreateApiMapping: request.domainName + response.apiMappingId
  update UpdateApiMapping, delete DeleteApiMapping: request.domainName + request.apiMappingId
aws_apigatewayv2_authorizer of apigateway
  names api_id+id id
  parent aws_apigatewayv2_api
  create CreateAuthorizer: request.apiId + response.authorizerId
  update UpdateAuthorizer, delete DeleteAuthorizer: request.apiId + request.authorizerId
aws_apigatewayv2_deployment of apigateway
  names api_id+id id
  parent aws_apigatewayv2_api
  create CreateDeployment: request.apiId + response.deploymentId
  update UpdateDeployment, delete DeleteDeployment: request.apiId + request.deploymentId
aws_apigatewayv2_domain_name = aws_api_gateway_domain_name
aws_apigatewayv2_integration of apigateway
  names api_id+id id
  parent aws_apigatewayv2_api
  create CreateIntegration: request.apiId + response.integrationId
  update UpdateIntegration, delete DeleteIntegration: request.apiId + request.integrationId
aws_apigatewayv2_route of apigateway
  names api_id+id id
  parent aws_apigatewayv2_api
  create CreateRoute: request.apiId + response.routeId
  update DeleteRouteRequestParameter UpdateRoute, delete DeleteRoute:
    request.apiId + request.routeId
aws_apigatewayv2_stage of apigateway
  names api_id+name arn
  parent aws_apigatewayv2_api
  create CreateStage, update DeleteAccessLogSettings DeleteRouteSettings UpdateStage, delete DeleteStage:
    request.apiId + request.stageName
aws_apigatewayv2_vpc_link = aws_api_gateway_vpc_link
aws_appsync_api_key of appsync
  names api_id+api_key_id id
  parent aws_appsync_graphql_api
  create CreateApiKey: request.apiId + response.apiKey.id
  update UpdateApiKey, delete DeleteApiKey: request.apiId + request.id
aws_appsync_datasource of appsync
  names api_id+name id arn
  parent aws_appsync_graphql_api
  create CreateDataSource, update UpdateDataSource, delete DeleteDataSource: request.apiId + request.name
aws_appsync_function of appsync
  names api_id+function_id id
  parent aws_appsync_graphql_api
  create CreateFunction: request.apiId + response.functionConfiguration.functionId
  update UpdateFunction, delete DeleteFunction: request.apiId + request.functionId
aws_appsync_graphql_api of appsync
  names id arn
  arns apis/
  create CreateGraphqlApi: response.graphqlApi.apiId
  update StartSchemaCreation UpdateGraphqlApi, delete DeleteGraphqlApi: request.apiId
aws_appsync_resolver of appsync
  names api_id+type+field id
  parent aws_appsync_graphql_api
  create CreateResolver, update UpdateResolver, delete DeleteResolver:
    request.apiId + request.typeName + request.fieldName
aws_cloudfront_cache_policy of cloudfront
  names id
  create CreateCachePolicy: response.cachePolicy.id
  update UpdateCachePolicy, delete DeleteCachePolicy: request.id
aws_cloudfront_distribution of cloudfront
  names id arn
  arns distribution/
  create CopyDistribution CreateDistribution CreateDistributionWithTags: response.distribution.id
  update UpdateDistribution UpdateDistributionWithStagingConfig, delete DeleteDistribution: request.id
  update AssociateAlias: request.targetDistributionId
aws_cloudfront_function of cloudfront
  names name id arn
  arns function/
  create CreateFunction, update PublishFunction UpdateFunction, delete DeleteFunction: request.name
aws_cloudfront_key_group of cloudfront
  names id
  create CreateKeyGroup: response.keyGroup.id
  update UpdateKeyGroup, delete DeleteKeyGroup: request.id
aws_cloudfront_monitoring_subscription of cloudfront
  names distribution_id id
  parent aws_cloudfront_distribution
  create CreateMonitoringSubscription, delete DeleteMonitoringSubscription: request.distributionId
aws_cloudfront_origin_access_control of cloudfront
  names id
  create CreateOriginAccessControl: response.originAccessControl.id
  update UpdateOriginAccessControl, delete DeleteOriginAccessControl: request.id
aws_cloudfront_origin_access_identity of cloudfront
  names id iam_arn
  create CreateCloudFrontOriginAccessIdentity: response.cloudFrontOriginAccessIdentity.id
  update UpdateCloudFrontOriginAccessIdentity, delete DeleteCloudFrontOriginAccessIdentity: request.id
aws_cloudfront_origin_request_policy of cloudfront
  names id
  create CreateOriginRequestPolicy: response.originRequestPolicy.id
  update UpdateOriginRequestPolicy, delete DeleteOriginRequestPolicy: request.id
aws_cloudfront_public_key of cloudfront
  names id
  create CreatePublicKey: response.publicKey.id
  update UpdatePublicKey, delete DeletePublicKey: request.id
aws_cloudfront_response_headers_policy of cloudfront
  names id
  create CreateResponseHeadersPolicy: response.responseHeadersPolicy.id
  update UpdateResponseHeadersPolicy, delete DeleteResponseHeadersPolicy: request.id
aws_globalaccelerator_accelerator of globalaccelerator
  names id arn
  arns accelerator/
  create CreateAccelerator: response.accelerator.acceleratorArn
  update UpdateAccelerator UpdateAcceleratorAttributes, delete DeleteAccelerator: request.acceleratorArn
aws_globalaccelerator_endpoint_group of globalaccelerator
  names arn id
  create CreateEndpointGroup: response.endpointGroup.endpointGroupArn
  update AddEndpoints RemoveEndpoints UpdateEndpointGroup, delete DeleteEndpointGroup: request.endpointGroupArn
aws_globalaccelerator_listener of globalaccelerator
  names id arn
  create CreateListener: response.listener.listenerArn
  update UpdateListener, delete DeleteListener: request.listenerArn
aws_lambda_alias of lambda
  names function_name+name arn
  parent aws_lambda_function
  create CreateAlias, update UpdateAlias, delete DeleteAlias: request.functionName + request.name
aws_lambda_code_signing_config of lambda
  names arn id config_id
  arns code-signing-config:
  create CreateCodeSigningConfig: response.codeSigningConfig.codeSigningConfigArn
  update UpdateCodeSigningConfig, delete DeleteCodeSigningConfig: request.codeSigningConfigArn
aws_lambda_event_source_mapping of lambda
  names uuid id arn
  arns event-source-mapping:
  create CreateEventSourceMapping: response.uUID
  update UpdateEventSourceMapping, delete DeleteEventSourceMapping: request.uUID
aws_lambda_function_event_invoke_config of lambda
  names function_name id
  parent aws_lambda_function
  update PutFunctionEventInvokeConfig UpdateFunctionEventInvokeConfig, delete DeleteFunctionEventInvokeConfig:
    request.functionName
aws_lambda_layer_version of lambda
  names layer_name+version arn id
  create PublishLayerVersion: response.layerVersionArn
  delete DeleteLayerVersion: request.layerName + request.versionNumber
aws_lambda_layer_version_permission of lambda
  names layer_name+version_number+statement_id
  create AddLayerVersionPermission, delete RemoveLayerVersionPermission:
    request.layerName + request.versionNumber + request.statementId
aws_lambda_provisioned_concurrency_config of lambda
  names function_name+qualifier
  parent aws_lambda_function
  update PutProvisionedConcurrencyConfig, delete DeleteProvisionedConcurrencyConfig:
    request.functionName + request.qualifier
aws_route53_health_check of route53
  names id arn
  arns healthcheck/
  create CreateHealthCheck: response.healthCheck.id
  update UpdateHealthCheck, delete DeleteHealthCheck: request.healthCheckId
aws_route53_hosted_zone_dnssec of route53
  names hosted_zone_id id
  parent aws_route53_zone
  create EnableHostedZoneDNSSEC, delete DisableHostedZoneDNSSEC: request.hostedZoneId | request.id
aws_route53_key_signing_key of route53
  names hosted_zone_id+name id
  parent aws_route53_zone
  create CreateKeySigningKey, update ActivateKeySigningKey DeactivateKeySigningKey, delete DeleteKeySigningKey:
    request.hostedZoneId + request.name
aws_route53_query_log of route53
  names id arn
  create CreateQueryLoggingConfig: response.queryLoggingConfig.id
  delete DeleteQueryLoggingConfig: request.id
aws_route53_record of route53
  names zone_id+fqdn+type id
  parent aws_route53_zone
  update ChangeResourceRecordSets:
    request.hostedZoneId + request.changeBatch.changes.resourceRecordSet.name
    + request.changeBatch.changes.resourceRecordSet.type
aws_route53_vpc_association_authorization of route53
  names zone_id+vpc_id
  parent aws_route53_zone
  create CreateVPCAssociationAuthorization, delete DeleteVPCAssociationAuthorization:
    request.hostedZoneId + request.vPC.vPCId
aws_route53_zone of route53
  names zone_id id arn
  arns hostedzone/
  create CreateHostedZone: response.hostedZone.id
  update UpdateHostedZoneComment, delete DeleteHostedZone: request.id
aws_route53_zone_association of route53
  names zone_id+vpc_id
  parent aws_route53_zone
  create AssociateVPCWithHostedZone, delete DisassociateVPCFromHostedZone: request.hostedZoneId + request.vPC.vPCId
aws_route53_resolver_endpoint of route53resolver
  names id arn
  arns resolver-endpoint/
  create CreateResolverEndpoint: response.resolverEndpoint.id
  update AssociateResolverEndpointIpAddress DisassociateResolverEndpointIpAddress UpdateResolverEndpoint,
    delete DeleteResolverEndpoint: request.resolverEndpointId
aws_route53_resolver_firewall_rule_group of route53resolver
  names id arn
  arns firewall-rule-group/
  create CreateFirewallRuleGroup: response.firewallRuleGroup.id
  update CreateFirewallRule DeleteFirewallRule UpdateFirewallRule, delete DeleteFirewallRuleGroup:
    request.firewallRuleGroupId
  update PutFirewallRuleGroupPolicy: request.arn
aws_route53_resolver_firewall_rule_group_association of route53resolver
  names id arn
  arns firewall-rule-group-association/
  create AssociateFirewallRuleGroup: response.firewallRuleGroupAssociation.id
  update UpdateFirewallRuleGroupAssociation, delete DisassociateFirewallRuleGroup:
    request.firewallRuleGroupAssociationId
aws_route53_resolver_query_log_config of route53resolver
  names id arn
  arns resolver-query-log-config/
  create CreateResolverQueryLogConfig: response.resolverQueryLogConfig.id
  delete DeleteResolverQueryLogConfig: request.resolverQueryLogConfigId
aws_route53_resolver_query_log_config_association of route53resolver
  names resolver_query_log_config_id+resource_id
  parent aws_route53_resolver_query_log_config
  create AssociateResolverQueryLogConfig, delete DisassociateResolverQueryLogConfig:
    request.resolverQueryLogConfigId + request.resourceId
aws_route53_resolver_rule of route53resolver
  names id arn
  arns resolver-rule/
  create CreateResolverRule: response.resolverRule.id
  update UpdateResolverRule, delete DeleteResolverRule: request.resolverRuleId
aws_route53_resolver_rule_association of route53resolver
  names resolver_rule_id+vpc_id
  parent aws_route53_resolver_rule
  create AssociateResolverRule, delete DisassociateResolverRule: request.resolverRuleId + request.vPCId
""")
