#!/bin/sh
# Changes the stack behind Terraform's back, as people do: four calls, as whoever your credentials are.
# `./drift.sh back` puts everything back, as people do as well. It takes the AWS CLI and an applied stack.
set -eu
cd "$(dirname "$0")"

value() { terraform output -raw "$1"; }
group=$(value security_group_id) queue=$(value queue_url) bucket=$(value bucket) role=$(value role)
ssh="IpProtocol=tcp,FromPort=22,ToPort=22,IpRanges=[{CidrIp=0.0.0.0/0}]"
policy=arn:aws:iam::aws:policy/ReadOnlyAccess

case "${1:-out}" in
  out)
    aws ec2 authorize-security-group-ingress --group-id "$group" --ip-permissions "$ssh" >/dev/null
    aws sqs set-queue-attributes --queue-url "$queue" --attributes VisibilityTimeout=900
    aws s3api put-bucket-versioning --bucket "$bucket" --versioning-configuration Status=Suspended
    aws iam attach-role-policy --role-name "$role" --policy-arn "$policy"
    echo "four changes that no code knows of: scan, and see who made them"
    ;;
  back)
    aws ec2 revoke-security-group-ingress --group-id "$group" --ip-permissions "$ssh" >/dev/null
    aws sqs set-queue-attributes --queue-url "$queue" --attributes VisibilityTimeout=30
    aws s3api put-bucket-versioning --bucket "$bucket" --versioning-configuration Status=Enabled
    aws iam detach-role-policy --role-name "$role" --policy-arn "$policy"
    echo "put back; that it was changed stays on record"
    ;;
  *)
    echo "usage: $0 [out|back]" >&2
    exit 2
    ;;
esac
