"""IAM, IAM Identity Center, Organizations, Roles Anywhere, RAM, Cognito and Directory Service."""

from agent.named import table

TYPES = table("""
aws_account_alternate_contact of account
  names alternate_contact_type
  update PutAlternateContact, delete DeleteAlternateContact: request.alternateContactType
aws_cognito_identity_pool of cognito-identity
  arns identitypool/
  create CreateIdentityPool: response.identityPoolId
  update UpdateIdentityPool, delete DeleteIdentityPool: request.identityPoolId
aws_cognito_identity_pool_roles_attachment of cognito-identity
  names identity_pool_id id
  parent aws_cognito_identity_pool
  update SetIdentityPoolRoles: request.identityPoolId
aws_cognito_identity_provider of cognito-idp
  names user_pool_id+provider_name id
  parent aws_cognito_user_pool
  create CreateIdentityProvider, update UpdateIdentityProvider, delete DeleteIdentityProvider:
    request.userPoolId + request.providerName
aws_cognito_resource_server of cognito-idp
  names user_pool_id+identifier id
  parent aws_cognito_user_pool
  create CreateResourceServer, update UpdateResourceServer, delete DeleteResourceServer:
    request.userPoolId + request.identifier
aws_cognito_user_group of cognito-idp
  names user_pool_id+name id
  parent aws_cognito_user_pool
  create CreateGroup, update UpdateGroup, delete DeleteGroup: request.userPoolId + request.groupName
aws_cognito_user_pool of cognito-idp
  arns userpool/
  create CreateUserPool: response.userPool.id
  update AddCustomAttributes SetUserPoolMfaConfig UpdateUserPool, delete DeleteUserPool: request.userPoolId
  update CreateUserPoolClient UpdateUserPoolClient DeleteUserPoolClient: request.userPoolId
# Where a record masks the client's id, its pool is all there is.
aws_cognito_user_pool_client of cognito-idp
  names user_pool_id+id id
  parent aws_cognito_user_pool
  create CreateUserPoolClient: request.userPoolId + response.userPoolClient.clientId
  update UpdateUserPoolClient, delete DeleteUserPoolClient: request.userPoolId + request.clientId
aws_cognito_user_pool_domain of cognito-idp
  names domain id
  create CreateUserPoolDomain, update UpdateUserPoolDomain, delete DeleteUserPoolDomain: request.domain
aws_directory_service_directory of ds
  names id
  arns directory/
  create ConnectDirectory CreateDirectory CreateMicrosoftAD: response.directoryId
  update CreateAlias DisableRadius DisableSso EnableRadius EnableSso UpdateNumberOfDomainControllers UpdateRadius,
    delete DeleteDirectory: request.directoryId
aws_iam_access_key of iam
  names user+id id
  parent aws_iam_user
  create CreateAccessKey: response.accessKey.userName + response.accessKey.accessKeyId
  update UpdateAccessKey, delete DeleteAccessKey: request.userName + request.accessKeyId | request.accessKeyId
aws_iam_account_alias of iam
  names account_alias id
  create CreateAccountAlias, delete DeleteAccountAlias: request.accountAlias
aws_iam_account_password_policy of iam
  names @account
  update UpdateAccountPasswordPolicy, delete DeleteAccountPasswordPolicy: account
aws_iam_group of iam
  names name id arn unique_id
  arns group/
  create CreateGroup, update UpdateGroup, delete DeleteGroup: request.groupName
aws_iam_group_policy of iam
  names group+name id
  parent aws_iam_group
  update PutGroupPolicy, delete DeleteGroupPolicy: request.groupName + request.policyName
aws_iam_group_policy_attachment of iam
  names group+policy_arn
  parent aws_iam_group
  create AttachGroupPolicy, delete DetachGroupPolicy: request.groupName + request.policyArn
aws_iam_instance_profile of iam
  names name id arn unique_id
  arns instance-profile/
  create CreateInstanceProfile, update AddRoleToInstanceProfile RemoveRoleFromInstanceProfile TagInstanceProfile
    UntagInstanceProfile, delete DeleteInstanceProfile: request.instanceProfileName
aws_iam_openid_connect_provider of iam
  arns oidc-provider/
  create CreateOpenIDConnectProvider: response.openIDConnectProviderArn
  update AddClientIDToOpenIDConnectProvider RemoveClientIDFromOpenIDConnectProvider TagOpenIDConnectProvider
    UntagOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint, delete DeleteOpenIDConnectProvider:
    request.openIDConnectProviderArn
aws_iam_saml_provider of iam
  arns saml-provider/
  create CreateSAMLProvider: response.sAMLProviderArn
  update TagSAMLProvider UntagSAMLProvider UpdateSAMLProvider, delete DeleteSAMLProvider: request.sAMLProviderArn
aws_iam_server_certificate of iam
  names name arn id
  arns server-certificate/
  create UploadServerCertificate, update TagServerCertificate UntagServerCertificate UpdateServerCertificate,
    delete DeleteServerCertificate: request.serverCertificateName
aws_iam_service_linked_role = aws_iam_role
  names name id arn unique_id
aws_iam_service_specific_credential of iam
  names user_name+service_specific_credential_id service_specific_credential_id id
  parent aws_iam_user
  create CreateServiceSpecificCredential:
    request.userName + response.serviceSpecificCredential.serviceSpecificCredentialId
  update ResetServiceSpecificCredential UpdateServiceSpecificCredential, delete DeleteServiceSpecificCredential:
    request.userName + request.serviceSpecificCredentialId | request.serviceSpecificCredentialId
aws_iam_signing_certificate of iam
  names user_name+certificate_id certificate_id id
  parent aws_iam_user
  create UploadSigningCertificate: request.userName + response.certificate.certificateId
  update UpdateSigningCertificate, delete DeleteSigningCertificate:
    request.userName + request.certificateId | request.certificateId
aws_iam_user of iam
  names name id arn unique_id
  arns user/
  create CreateUser, update DeleteUserPermissionsBoundary PutUserPermissionsBoundary TagUser UntagUser UpdateUser,
    delete DeleteUser: request.userName
aws_iam_user_group_membership of iam
  names user
  parent aws_iam_user
  update AddUserToGroup RemoveUserFromGroup: request.userName
aws_iam_user_login_profile of iam
  names user id
  parent aws_iam_user
  create CreateLoginProfile, update UpdateLoginProfile, delete DeleteLoginProfile: request.userName
aws_iam_user_policy of iam
  names user+name id
  parent aws_iam_user
  update PutUserPolicy, delete DeleteUserPolicy: request.userName + request.policyName
aws_iam_user_policy_attachment of iam
  names user+policy_arn
  parent aws_iam_user
  create AttachUserPolicy, delete DetachUserPolicy: request.userName + request.policyArn
aws_iam_user_ssh_key of iam
  names username+ssh_public_key_id ssh_public_key_id id
  parent aws_iam_user
  create UploadSSHPublicKey: request.userName + response.sSHPublicKey.sSHPublicKeyId
  update UpdateSSHPublicKey, delete DeleteSSHPublicKey: request.userName + request.sSHPublicKeyId
aws_iam_virtual_mfa_device of iam
  arns mfa/
  create CreateVirtualMFADevice: response.virtualMFADevice.serialNumber
  update DeactivateMFADevice EnableMFADevice ResyncMFADevice TagMFADevice UntagMFADevice,
    delete DeleteVirtualMFADevice: request.serialNumber
aws_identitystore_group of identitystore
  names identity_store_id+group_id id
  create CreateGroup: request.identityStoreId + response.groupId
  update UpdateGroup, delete DeleteGroup: request.identityStoreId + request.groupId
aws_identitystore_group_membership of identitystore
  names identity_store_id+membership_id id
  create CreateGroupMembership: request.identityStoreId + response.membershipId
  delete DeleteGroupMembership: request.identityStoreId + request.membershipId
aws_identitystore_user of identitystore
  names identity_store_id+user_id id
  create CreateUser: request.identityStoreId + response.userId
  update UpdateUser, delete DeleteUser: request.identityStoreId + request.userId
aws_organizations_account of organizations
  arns account/
  create CreateAccount CreateGovCloudAccount: response.createAccountStatus.accountId
  create CreateAccountResult: details.createAccountStatus.accountId
  update CloseAccount MoveAccount RemoveAccountFromOrganization: request.accountId
aws_organizations_delegated_administrator of organizations
  names account_id+service_principal id
  create RegisterDelegatedAdministrator, delete DeregisterDelegatedAdministrator:
    request.accountId + request.servicePrincipal
aws_organizations_organization of organizations
  arns organization/
  create CreateOrganization: response.organization.id
aws_organizations_organizational_unit of organizations
  arns ou/
  create CreateOrganizationalUnit: response.organizationalUnit.id
  update UpdateOrganizationalUnit, delete DeleteOrganizationalUnit: request.organizationalUnitId
aws_organizations_policy of organizations
  arns policy/
  create CreatePolicy: response.policy.policySummary.id
  update UpdatePolicy, delete DeletePolicy: request.policyId
aws_organizations_policy_attachment of organizations
  names target_id+policy_id
  create AttachPolicy, delete DetachPolicy: request.targetId + request.policyId
aws_organizations_resource_policy of organizations
  names @account
  update PutResourcePolicy, delete DeleteResourcePolicy: account
aws_ram_principal_association of ram
  names resource_share_arn+principal
  parent aws_ram_resource_share
  create AssociateResourceShare, delete DisassociateResourceShare: request.resourceShareArn + request.principals
aws_ram_resource_association of ram
  names resource_share_arn+resource_arn
  parent aws_ram_resource_share
  create AssociateResourceShare, delete DisassociateResourceShare: request.resourceShareArn + request.resourceArns
aws_ram_resource_share of ram
  arns resource-share/
  create CreateResourceShare: response.resourceShare.resourceShareArn
  update PromoteResourceShareCreatedFromPolicy UpdateResourceShare, delete DeleteResourceShare: request.resourceShareArn
aws_rolesanywhere_profile of rolesanywhere
  arns profile/
  create CreateProfile: response.profile.profileId
  update DisableProfile EnableProfile UpdateProfile, delete DeleteProfile: request.profileId
aws_rolesanywhere_trust_anchor of rolesanywhere
  arns trust-anchor/
  create CreateTrustAnchor: response.trustAnchor.trustAnchorId
  update DisableTrustAnchor EnableTrustAnchor UpdateTrustAnchor, delete DeleteTrustAnchor: request.trustAnchorId
  update PutNotificationSettings ResetNotificationSettings: request.trustAnchorId
aws_ssoadmin_account_assignment of sso
  names permission_set_arn+principal_id+target_id
  parent aws_ssoadmin_permission_set
  create CreateAccountAssignment, delete DeleteAccountAssignment:
    request.permissionSetArn + request.principalId + request.targetId
aws_ssoadmin_customer_managed_policy_attachment of sso
  names permission_set_arn+customer_managed_policy_reference.name
  parent aws_ssoadmin_permission_set
  create AttachCustomerManagedPolicyReferenceToPermissionSet,
    delete DetachCustomerManagedPolicyReferenceFromPermissionSet:
    request.permissionSetArn + request.customerManagedPolicyReference.name
aws_ssoadmin_managed_policy_attachment of sso
  names permission_set_arn+managed_policy_arn
  parent aws_ssoadmin_permission_set
  create AttachManagedPolicyToPermissionSet, delete DetachManagedPolicyFromPermissionSet:
    request.permissionSetArn + request.managedPolicyArn
aws_ssoadmin_permission_set of sso
  names arn id
  arns permissionSet/
  create CreatePermissionSet: response.permissionSet.permissionSetArn
  update ProvisionPermissionSet UpdatePermissionSet, delete DeletePermissionSet: request.permissionSetArn
aws_ssoadmin_permission_set_inline_policy of sso
  names permission_set_arn
  parent aws_ssoadmin_permission_set
  update PutInlinePolicyToPermissionSet, delete DeleteInlinePolicyFromPermissionSet: request.permissionSetArn
aws_ssoadmin_permissions_boundary_attachment of sso
  names permission_set_arn
  parent aws_ssoadmin_permission_set
  update PutPermissionsBoundaryToPermissionSet, delete DeletePermissionsBoundaryFromPermissionSet:
    request.permissionSetArn
""")
