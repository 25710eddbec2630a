"""EC2's networks."""

from agent.named import table

TYPES = table("""
aws_customer_gateway of ec2
  arns customer-gateway/
  prefix cgw-
  create CreateCustomerGateway: response.customerGateway.customerGatewayId
  delete DeleteCustomerGateway: request.customerGatewayId
aws_default_network_acl = aws_network_acl
aws_default_route_table = aws_route_table
aws_default_security_group = aws_security_group
aws_default_subnet = aws_subnet
aws_default_vpc = aws_vpc
aws_default_vpc_dhcp_options = aws_vpc_dhcp_options
aws_ec2_client_vpn_authorization_rule of ec2
  names client_vpn_endpoint_id+target_network_cidr id
  parent aws_ec2_client_vpn_endpoint
  create AuthorizeClientVpnIngress: request.clientVpnEndpointId + request.targetNetworkCidr
  delete RevokeClientVpnIngress: request.clientVpnEndpointId + request.targetNetworkCidr
aws_ec2_client_vpn_endpoint of ec2
  arns client-vpn-endpoint/
  prefix cvpn-endpoint-
  create CreateClientVpnEndpoint: response.clientVpnEndpointId
  update ModifyClientVpnEndpoint ApplySecurityGroupsToClientVpnTargetNetwork: request.clientVpnEndpointId
  delete DeleteClientVpnEndpoint: request.clientVpnEndpointId
aws_ec2_managed_prefix_list of ec2
  arns prefix-list/
  prefix pl-
  create CreateManagedPrefixList: response.prefixList.prefixListId
  update ModifyManagedPrefixList RestoreManagedPrefixListVersion: request.prefixListId
  delete DeleteManagedPrefixList: request.prefixListId
aws_ec2_traffic_mirror_filter of ec2
  arns traffic-mirror-filter/
  prefix tmf-
  create CreateTrafficMirrorFilter: response.trafficMirrorFilter.trafficMirrorFilterId
  update ModifyTrafficMirrorFilterNetworkServices, delete DeleteTrafficMirrorFilter: request.trafficMirrorFilterId
aws_ec2_traffic_mirror_filter_rule of ec2
  arns traffic-mirror-filter-rule/
  create CreateTrafficMirrorFilterRule: response.trafficMirrorFilterRule.trafficMirrorFilterRuleId
  update ModifyTrafficMirrorFilterRule, delete DeleteTrafficMirrorFilterRule: request.trafficMirrorFilterRuleId
aws_ec2_traffic_mirror_session of ec2
  arns traffic-mirror-session/
  prefix tms-
  create CreateTrafficMirrorSession: response.trafficMirrorSession.trafficMirrorSessionId
  update ModifyTrafficMirrorSession, delete DeleteTrafficMirrorSession: request.trafficMirrorSessionId
aws_ec2_traffic_mirror_target of ec2
  arns traffic-mirror-target/
  prefix tmt-
  create CreateTrafficMirrorTarget: response.trafficMirrorTarget.trafficMirrorTargetId
  delete DeleteTrafficMirrorTarget: request.trafficMirrorTargetId
aws_ec2_transit_gateway of ec2
  arns transit-gateway/
  prefix tgw-
  create CreateTransitGateway: response.transitGateway.transitGatewayId
  update ModifyTransitGateway, delete DeleteTransitGateway: request.transitGatewayId
aws_ec2_transit_gateway_peering_attachment of ec2
  create CreateTransitGatewayPeeringAttachment: response.transitGatewayPeeringAttachment.transitGatewayAttachmentId
  update AcceptTransitGatewayPeeringAttachment: request.transitGatewayAttachmentId
  update RejectTransitGatewayPeeringAttachment: request.transitGatewayAttachmentId
  delete DeleteTransitGatewayPeeringAttachment: request.transitGatewayAttachmentId
aws_ec2_transit_gateway_route of ec2
  names transit_gateway_route_table_id+destination_cidr_block id
  parent aws_ec2_transit_gateway_route_table
  create CreateTransitGatewayRoute: request.transitGatewayRouteTableId + request.destinationCidrBlock
  update ReplaceTransitGatewayRoute: request.transitGatewayRouteTableId + request.destinationCidrBlock
  delete DeleteTransitGatewayRoute: request.transitGatewayRouteTableId + request.destinationCidrBlock
aws_ec2_transit_gateway_route_table of ec2
  arns transit-gateway-route-table/
  prefix tgw-rtb-
  create CreateTransitGatewayRouteTable: response.transitGatewayRouteTable.transitGatewayRouteTableId
  delete DeleteTransitGatewayRouteTable: request.transitGatewayRouteTableId
aws_ec2_transit_gateway_route_table_association of ec2
  names transit_gateway_route_table_id+transit_gateway_attachment_id id
  parent aws_ec2_transit_gateway_route_table
  create AssociateTransitGatewayRouteTable: request.transitGatewayRouteTableId + request.transitGatewayAttachmentId
  delete DisassociateTransitGatewayRouteTable: request.transitGatewayRouteTableId + request.transitGatewayAttachmentId
aws_ec2_transit_gateway_route_table_propagation of ec2
  names transit_gateway_route_table_id+transit_gateway_attachment_id id
  parent aws_ec2_transit_gateway_route_table
  create EnableTransitGatewayRouteTablePropagation, delete DisableTransitGatewayRouteTablePropagation:
    request.transitGatewayRouteTableId + request.transitGatewayAttachmentId
aws_ec2_transit_gateway_vpc_attachment of ec2
  arns transit-gateway-attachment/
  prefix tgw-attach-
  create CreateTransitGatewayVpcAttachment: response.transitGatewayVpcAttachment.transitGatewayAttachmentId
  update ModifyTransitGatewayVpcAttachment AcceptTransitGatewayVpcAttachment: request.transitGatewayAttachmentId
  update RejectTransitGatewayVpcAttachment: request.transitGatewayAttachmentId
  delete DeleteTransitGatewayVpcAttachment: request.transitGatewayAttachmentId
aws_egress_only_internet_gateway of ec2
  names id
  arns egress-only-internet-gateway/
  prefix eigw-
  create CreateEgressOnlyInternetGateway: response.egressOnlyInternetGateway.egressOnlyInternetGatewayId
  delete DeleteEgressOnlyInternetGateway: request.egressOnlyInternetGatewayId
aws_eip of ec2
  names id arn allocation_id public_ip association_id
  arns elastic-ip/
  prefix eipalloc-
  create AllocateAddress: response.allocationId
  update ModifyAddressAttribute ResetAddressAttribute: request.allocationId
  delete ReleaseAddress: request.allocationId | request.publicIp
aws_eip_association of ec2
  names allocation_id id public_ip
  parent aws_eip
  create AssociateAddress: request.allocationId | request.publicIp
  delete DisassociateAddress: request.associationId | request.publicIp
aws_flow_log of ec2
  arns vpc-flow-log/
  prefix fl-
  create CreateFlowLogs: response.flowLogIdSet
  delete DeleteFlowLogs: request.flowLogId
aws_internet_gateway of ec2
  arns internet-gateway/
  prefix igw-
  create CreateInternetGateway: response.internetGateway.internetGatewayId
  update AttachInternetGateway DetachInternetGateway, delete DeleteInternetGateway: request.internetGatewayId
aws_main_route_table_association = aws_route_table_association
aws_nat_gateway of ec2
  names id
  arns natgateway/
  prefix nat-
  create CreateNatGateway: response.natGateway.natGatewayId
  update AssociateNatGatewayAddress AssignPrivateNatGatewayAddress: request.natGatewayId
  update DisassociateNatGatewayAddress UnassignPrivateNatGatewayAddress: request.natGatewayId
  delete DeleteNatGateway: request.natGatewayId
aws_network_acl of ec2
  arns network-acl/
  prefix acl-
  create CreateNetworkAcl: response.networkAcl.networkAclId
  update ReplaceNetworkAclAssociation, delete DeleteNetworkAcl: request.networkAclId
aws_network_acl_rule of ec2
  names network_acl_id+rule_number+egress
  parent aws_network_acl
  create CreateNetworkAclEntry: request.networkAclId + request.ruleNumber + request.egress
  update ReplaceNetworkAclEntry: request.networkAclId + request.ruleNumber + request.egress
  delete DeleteNetworkAclEntry: request.networkAclId + request.ruleNumber + request.egress
aws_network_interface of ec2
  arns network-interface/
  prefix eni-
  create CreateNetworkInterface: response.networkInterface.networkInterfaceId
  update AssignIpv6Addresses AssignPrivateIpAddresses AttachNetworkInterface: request.networkInterfaceId
  update ModifyNetworkInterfaceAttribute ResetNetworkInterfaceAttribute: request.networkInterfaceId
  update UnassignIpv6Addresses UnassignPrivateIpAddresses, delete DeleteNetworkInterface: request.networkInterfaceId
aws_network_interface_attachment of ec2
  names id attachment_id
  delete DetachNetworkInterface: request.attachmentId
aws_route of ec2
  names route_table_id+destination_cidr_block route_table_id+destination_ipv6_cidr_block
    route_table_id+destination_prefix_list_id
  parent aws_route_table
  create CreateRoute, update ReplaceRoute, delete DeleteRoute:
    request.routeTableId + request.destinationCidrBlock/request.destinationIpv6CidrBlock/request.destinationPrefixListId
aws_route_table of ec2
  arns route-table/
  prefix rtb-
  create CreateRouteTable: response.routeTable.routeTableId
  update DisableVgwRoutePropagation EnableVgwRoutePropagation, delete DeleteRouteTable: request.routeTableId
aws_route_table_association of ec2
  names id
  create AssociateRouteTable: response.associationId
  update ReplaceRouteTableAssociation, delete DisassociateRouteTable: request.associationId
aws_vpc_dhcp_options of ec2
  arns dhcp-options/
  prefix dopt-
  create CreateDhcpOptions: response.dhcpOptions.dhcpOptionsId
  delete DeleteDhcpOptions: request.dhcpOptionsId
aws_vpc_dhcp_options_association of ec2
  names vpc_id
  parent aws_vpc
  update AssociateDhcpOptions: request.vpcId
aws_vpc_endpoint of ec2
  arns vpc-endpoint/
  prefix vpce-
  create CreateVpcEndpoint: response.vpcEndpoint.vpcEndpointId
  update ModifyVpcEndpoint, delete DeleteVpcEndpoints: request.vpcEndpointId
aws_vpc_endpoint_service of ec2
  arns vpc-endpoint-service/
  prefix vpce-svc-
  create CreateVpcEndpointServiceConfiguration: response.serviceConfiguration.serviceId
  update ModifyVpcEndpointServiceConfiguration ModifyVpcEndpointServicePermissions: request.serviceId
  update StartVpcEndpointServicePrivateDnsVerification: request.serviceId
  delete DeleteVpcEndpointServiceConfigurations: request.serviceId
aws_vpc_ipam of ec2
  arns ipam/
  prefix ipam-
  create CreateIpam: response.ipam.ipamId
  update ModifyIpam, delete DeleteIpam: request.ipamId
aws_vpc_ipam_pool of ec2
  arns ipam-pool/
  prefix ipam-pool-
  create CreateIpamPool: response.ipamPool.ipamPoolId
  update ModifyIpamPool ProvisionIpamPoolCidr DeprovisionIpamPoolCidr, delete DeleteIpamPool: request.ipamPoolId
aws_vpc_ipv4_cidr_block_association of ec2
  names id
  create AssociateVpcCidrBlock: response.cidrBlockAssociation.associationId
  delete DisassociateVpcCidrBlock: request.associationId
aws_vpc_peering_connection of ec2
  names id
  arns vpc-peering-connection/
  prefix pcx-
  create CreateVpcPeeringConnection: response.vpcPeeringConnection.vpcPeeringConnectionId
  update AcceptVpcPeeringConnection ModifyVpcPeeringConnectionOptions: request.vpcPeeringConnectionId
  update RejectVpcPeeringConnection, delete DeleteVpcPeeringConnection: request.vpcPeeringConnectionId
aws_vpc_peering_connection_accepter = aws_vpc_peering_connection
aws_vpn_connection of ec2
  arns vpn-connection/
  prefix vpn-
  create CreateVpnConnection: response.vpnConnection.vpnConnectionId
  update ModifyVpnConnection ModifyVpnConnectionOptions ModifyVpnTunnelCertificate: request.vpnConnectionId
  update ModifyVpnTunnelOptions ReplaceVpnTunnel, delete DeleteVpnConnection: request.vpnConnectionId
aws_vpn_connection_route of ec2
  names vpn_connection_id+destination_cidr_block id
  parent aws_vpn_connection
  create CreateVpnConnectionRoute: request.vpnConnectionId + request.destinationCidrBlock
  delete DeleteVpnConnectionRoute: request.vpnConnectionId + request.destinationCidrBlock
aws_vpn_gateway of ec2
  arns vpn-gateway/
  prefix vgw-
  create CreateVpnGateway: response.vpnGateway.vpnGatewayId
  update AttachVpnGateway DetachVpnGateway, delete DeleteVpnGateway: request.vpnGatewayId
""")
