# Policy documents of every form. What the AWS provider makes of them stands in documents.json; test_policy_documents.py
# says how it was recorded.

data "aws_iam_policy_document" "empty" {}

data "aws_iam_policy_document" "empty_statement" {
  statement {}
}

data "aws_iam_policy_document" "version_and_id" {
  version   = "2008-10-17"
  policy_id = "__default"
  statement {
    actions   = ["s3:GetObject"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "empty_version" {
  version   = "2012-10-17"
  policy_id = ""
  statement {
    sid       = ""
    effect    = "Allow"
    actions   = []
    resources = []
  }
}

data "aws_iam_policy_document" "one_of_each" {
  statement {
    sid       = "One"
    actions   = ["s3:ListBucket"]
    resources = ["arn:aws:s3:::bucket"]
  }
}

data "aws_iam_policy_document" "order_of_lists" {
  statement {
    actions   = ["s3:PutObject", "s3:GetObject", "ec2:*", "s3:getobject", "S3:Z", "a:é", "*"]
    resources = ["b", "a", "c", "arn:aws:s3:::b/*", "arn:aws:s3:::b"]
  }
}

data "aws_iam_policy_document" "repeated" {
  statement {
    actions   = ["s3:GetObject", "s3:GetObject"]
    resources = ["a", "a", "b"]
  }
}

data "aws_iam_policy_document" "negated" {
  statement {
    effect        = "Deny"
    not_actions   = ["iam:*", "organizations:*"]
    not_resources = ["arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b"]
    not_principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::123456789012:root"]
    }
  }
}

data "aws_iam_policy_document" "negated_single" {
  statement {
    not_actions   = ["iam:*"]
    not_resources = ["x"]
    not_principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}

data "aws_iam_policy_document" "two_statements" {
  statement {
    sid     = "B"
    actions = ["b:b"]
  }
  statement {
    sid     = "A"
    actions = ["a:a"]
  }
}

data "aws_iam_policy_document" "without_sids" {
  statement {
    actions = ["b:b"]
  }
  statement {
    actions = ["a:a"]
  }
  statement {
    actions = ["a:a"]
  }
}

data "aws_iam_policy_document" "service_principal" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "service_principals" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com", "lambda.amazonaws.com", "edgelambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "everybody" {
  statement {
    actions = ["s3:GetObject"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}

data "aws_iam_policy_document" "every_aws" {
  statement {
    actions = ["s3:GetObject"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
  }
}

data "aws_iam_policy_document" "every_aws_and_more" {
  statement {
    principals {
      type        = "AWS"
      identifiers = ["*", "arn:aws:iam::123456789012:root"]
    }
  }
}

data "aws_iam_policy_document" "star_with_others" {
  statement {
    principals {
      type        = "*"
      identifiers = ["*", "a"]
    }
  }
}

data "aws_iam_policy_document" "star_of_one" {
  statement {
    principals {
      type        = "*"
      identifiers = ["a"]
    }
  }
}

data "aws_iam_policy_document" "star_and_aws" {
  statement {
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    principals {
      type        = "AWS"
      identifiers = ["123456789012"]
    }
  }
}

data "aws_iam_policy_document" "aws_and_star" {
  statement {
    principals {
      type        = "AWS"
      identifiers = ["123456789012"]
    }
    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}

data "aws_iam_policy_document" "principals_of_kinds" {
  statement {
    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
    principals {
      type        = "AWS"
      identifiers = ["b", "a"]
    }
    principals {
      type        = "Federated"
      identifiers = ["cognito-identity.amazonaws.com"]
    }
    principals {
      type        = "CanonicalUser"
      identifiers = ["0123", "4567"]
    }
  }
}

data "aws_iam_policy_document" "principals_of_one_kind_twice" {
  statement {
    principals {
      type        = "AWS"
      identifiers = ["b", "d"]
    }
    principals {
      type        = "AWS"
      identifiers = ["c", "a"]
    }
  }
}

data "aws_iam_policy_document" "single_principals_of_one_kind" {
  statement {
    principals {
      type        = "AWS"
      identifiers = ["b"]
    }
    principals {
      type        = "AWS"
      identifiers = ["a"]
    }
    principals {
      type        = "Service"
      identifiers = ["x"]
    }
    principals {
      type        = "Service"
      identifiers = ["y", "z"]
    }
  }
}

data "aws_iam_policy_document" "list_then_single" {
  statement {
    principals {
      type        = "AWS"
      identifiers = ["z", "b"]
    }
    principals {
      type        = "AWS"
      identifiers = ["a"]
    }
  }
}

data "aws_iam_policy_document" "no_identifiers" {
  statement {
    principals {
      type        = "AWS"
      identifiers = []
    }
  }
}

data "aws_iam_policy_document" "condition" {
  statement {
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = ["123456789012"]
    }
  }
}

data "aws_iam_policy_document" "condition_values" {
  statement {
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["home/", "", "home/&{aws:username}/", "a"]
    }
  }
}

data "aws_iam_policy_document" "conditions_of_one_test" {
  statement {
    condition {
      test     = "StringEquals"
      variable = "b"
      values   = ["2", "1"]
    }
    condition {
      test     = "StringEquals"
      variable = "a"
      values   = ["1"]
    }
  }
}

data "aws_iam_policy_document" "conditions_of_one_variable" {
  statement {
    condition {
      test     = "StringEquals"
      variable = "a"
      values   = ["3", "1"]
    }
    condition {
      test     = "StringEquals"
      variable = "a"
      values   = ["2"]
    }
  }
}

data "aws_iam_policy_document" "single_conditions_of_one_variable" {
  statement {
    condition {
      test     = "StringEquals"
      variable = "a"
      values   = ["3"]
    }
    condition {
      test     = "StringEquals"
      variable = "a"
      values   = ["2"]
    }
    condition {
      test     = "StringEquals"
      variable = "a"
      values   = ["2"]
    }
  }
}

data "aws_iam_policy_document" "conditions_single_then_list" {
  statement {
    condition {
      test     = "StringEquals"
      variable = "a"
      values   = ["3"]
    }
    condition {
      test     = "StringEquals"
      variable = "a"
      values   = ["2", "4"]
    }
  }
}

data "aws_iam_policy_document" "conditions_of_tests" {
  statement {
    condition {
      test     = "StringNotEquals"
      variable = "z"
      values   = ["1"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
    condition {
      test     = "ForAnyValue:StringLike"
      variable = "aws:PrincipalOrgPaths"
      values   = ["o/*", "p/*"]
    }
    condition {
      test     = "NumericLessThan"
      variable = "aws:MultiFactorAuthAge"
      values   = [3600]
    }
    condition {
      test     = "Null"
      variable = "aws:TokenIssueTime"
      values   = [true]
    }
  }
}

data "aws_iam_policy_document" "condition_repeated_values" {
  statement {
    condition {
      test     = "StringEquals"
      variable = "a"
      values   = ["x", "x", "w"]
    }
  }
}

data "aws_iam_policy_document" "variables" {
  statement {
    actions   = ["s3:&{a}"]
    resources = ["arn:aws:s3:::b/&{aws:username}/*", "$${aws:PrincipalTag/x}", "&", "&&{x}"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::1:user/&{aws:username}"]
    }
    condition {
      test     = "StringLike"
      variable = "s3:&{b}"
      values   = ["&{c}"]
    }
  }
}

data "aws_iam_policy_document" "old_version_with_variables" {
  version = "2008-10-17"
  statement {
    actions = ["s3:GetObject"]
  }
}

data "aws_iam_policy_document" "characters" {
  policy_id = "<a> & \"b\""
  statement {
    sid       = "Sid"
    resources = ["arn:aws:s3:::<b>/é/\u2028/\t/\\/'&/😀"]
    actions   = ["a<b", "a>b"]
  }
}

data "aws_iam_policy_document" "sid_with_spaces" {
  statement {
    sid     = "Allow this, please"
    actions = ["a:b"]
  }
}

data "aws_iam_policy_document" "deny" {
  statement {
    sid     = "DenyInsecure"
    effect  = "Deny"
    actions = ["s3:*"]
    resources = [
      "arn:aws:s3:::b/*",
      "arn:aws:s3:::b",
    ]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "source" {
  source_policy_documents = [data.aws_iam_policy_document.deny.json]
}

data "aws_iam_policy_document" "sources" {
  source_policy_documents = [
    data.aws_iam_policy_document.deny.json,
    data.aws_iam_policy_document.one_of_each.json,
    data.aws_iam_policy_document.without_sids.json,
  ]
  statement {
    sid     = "Own"
    actions = ["own:own"]
  }
}

data "aws_iam_policy_document" "source_replaced_by_statement" {
  source_policy_documents = [data.aws_iam_policy_document.two_statements.json]
  statement {
    sid     = "B"
    actions = ["b:new"]
  }
  statement {
    actions = ["c:c"]
  }
}

data "aws_iam_policy_document" "source_with_version_and_id" {
  source_policy_documents = [data.aws_iam_policy_document.version_and_id.json]
}

data "aws_iam_policy_document" "source_and_own_version" {
  version                 = "2012-10-17"
  policy_id               = "own"
  source_policy_documents = [data.aws_iam_policy_document.version_and_id.json]
}

data "aws_iam_policy_document" "override" {
  override_policy_documents = [data.aws_iam_policy_document.two_statements.json]
  statement {
    sid     = "A"
    actions = ["a:own"]
  }
  statement {
    sid     = "C"
    actions = ["c:own"]
  }
}

data "aws_iam_policy_document" "override_of_override" {
  source_policy_documents   = [data.aws_iam_policy_document.one_of_each.json]
  override_policy_documents = [
    data.aws_iam_policy_document.two_statements.json,
    data.aws_iam_policy_document.override.json,
    data.aws_iam_policy_document.version_and_id.json,
  ]
  statement {
    sid     = "One"
    actions = ["one:own"]
  }
}

data "aws_iam_policy_document" "empty_sources" {
  source_policy_documents   = ["", data.aws_iam_policy_document.one_of_each.json, ""]
  override_policy_documents = ["", ""]
}

data "aws_iam_policy_document" "no_sources" {
  source_policy_documents   = []
  override_policy_documents = []
}

data "aws_iam_policy_document" "source_by_hand" {
  source_policy_documents = [jsonencode({
    Version = "2008-10-17"
    Id      = "hand"
    Statement = [
      {
        Sid       = "AsText"
        Effect    = "Allow"
        Action    = "s3:GetObject"
        Resource  = "*"
        Principal = "*"
      },
      {
        Sid      = "AsLists"
        Effect   = "Allow"
        Action   = ["z:z", "a:a"]
        Resource = ["only"]
        Principal = {
          Service = ["b", "a"]
          AWS     = "123456789012"
        }
        Condition = {
          StringEquals = {
            z = ["2", "1"]
            a = "single"
          }
          Bool = {
            "aws:SecureTransport" = "true"
          }
        }
      },
      {
        Effect      = "Deny"
        NotAction   = ["only"]
        NotResource = ["b", "a"]
        NotPrincipal = {
          AWS = ["*"]
        }
      },
    ]
  })]
}

data "aws_iam_policy_document" "source_with_star_in_map" {
  source_policy_documents = [jsonencode({
    Statement = [
      { Principal = { AWS = "*" } },
      { Principal = { "*" = "*" } },
      { Principal = { "*" = ["*"] } },
      { Principal = { AWS = ["b"] } },
    ]
  })]
}

data "aws_iam_policy_document" "source_indented" {
  source_policy_documents = [
    "\n  {\n \"Version\": \"2012-10-17\", \"Extra\": 1, \"Statement\": [ {\"Sid\": \"X\", \"Effect\": \"Allow\", \"Other\": 2} ] }"
  ]
}

data "aws_iam_policy_document" "source_without_statements" {
  source_policy_documents = ["{}", "{\"Version\": \"2012-10-17\", \"Statement\": []}"]
}

data "aws_iam_policy_document" "source_with_conditions" {
  source_policy_documents = [jsonencode({
    Statement = [{
      Condition = {
        StringEquals = { b = ["2", "1"], a = ["one"] }
        Bool         = { c = ["true", "false"], d = "true" }
      }
    }]
  })]
}

data "aws_iam_policy_document" "one_sid_in_source_and_override" {
  source_policy_documents   = [data.aws_iam_policy_document.one_of_each.json]
  override_policy_documents = [data.aws_iam_policy_document.deny.json, data.aws_iam_policy_document.one_of_each.json]
}

data "aws_iam_policy_document" "chain" {
  source_policy_documents = [data.aws_iam_policy_document.sources.json]
  statement {
    sid     = "DenyInsecure"
    actions = ["replaced:replaced"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
  }
}

data "aws_iam_policy_document" "nulls" {
  version   = null
  policy_id = null
  statement {
    sid       = null
    effect    = null
    actions   = null
    resources = ["a"]
  }
}

data "aws_iam_policy_document" "numbers" {
  statement {
    sid     = 5
    actions = [1, true]
    condition {
      test     = "NumericEquals"
      variable = "a"
      values   = [10, 9, 1.5, false]
    }
  }
}

data "aws_iam_policy_document" "sets" {
  statement {
    actions   = toset(["b", "a"])
    resources = toset(["x"])
    condition {
      test     = "StringEquals"
      variable = "a"
      values   = toset(["y", "x"])
    }
  }
}

data "aws_iam_policy_document" "from_heredoc" {
  source_policy_documents = [<<-EOT
    {
      "Version": "2012-10-17",
      "Statement": [
        {"Sid": "H", "Effect": "Allow", "Action": ["a:b", "a:a"], "Resource": "arn:aws:s3:::&{x}"}
      ]
    }
  EOT
  ]
}

data "aws_iam_policy_document" "duplicate_sids_in_override" {
  override_policy_documents = ["{\"Statement\":[{\"Sid\":\"A\",\"Action\":\"1\"},{\"Sid\":\"A\",\"Action\":\"2\"}]}"]
  statement {
    sid = "A"
  }
}

data "aws_iam_policy_document" "odd_json" {
  source_policy_documents = [
    "null",
    "{\"Statement\":[{\"Action\":5,\"Resource\":[]}]}",
    "{\"Statement\":[{\"Action\":\"\",\"Resource\":false,\"Sid\":\"\",\"Principal\":{\"*\":[\"*\",\"x\"]}}]}",
    "{\"Statement\":[{\"Principal\":{\"*\":[\"*\"],\"AWS\":\"x\"},\"Condition\":{\"a\":null}}]}",
    "{\"Statement\":[{\"Action\":null,\"Principal\":{},\"Condition\":{}}]}",
    "{\"statement\":[{\"sid\":\"x\",\"EFFECT\":\"Deny\",\"action\":[]}]}",
    "{\"Statement\":[{\"Principal\":\"abc\"}]}",
    "{\"Statement\":[{\"Principal\":{\"AWS\":[]}}]}",
    "{\"Statement\":[{\"Sid\":\"1\",\"Sid\":\"2\",\"Effect\":null}]}",
    "{\"Statement\":[{\"Condition\":{\"a\":{\"b\":\"c\",\"B\":[\"x\"],\"d\":5,\"e\":null,\"f\":true,\"g\":[]},\"A\":{}}}]}",
    "{\"Statement\":[{\"Sid\":\"\\ud800\\u00e9\\u0001\\b\\f\\n\\r\\t\\/\\u007f\\u2029\"}]}",
    "{\"Statement\":[{\"Action\":[\"a\",5,1.50,1e30,0.0000001,null,true,{\"z\":1,\"a\":\"<\"},123456789012345678901]}]}",
  ]
}

data "aws_iam_policy_document" "older_version_over_newer_source" {
  version                 = "2008-10-17"
  source_policy_documents = ["{\"Version\":\"2012-10-17\"}"]
}

data "aws_iam_policy_document" "newer_override_over_older_version" {
  version                   = "2008-10-17"
  override_policy_documents = ["{\"Version\":\"2012-10-17\",\"Id\":\"o\"}"]
}

data "aws_iam_policy_document" "later_version_over_all" {
  override_policy_documents = ["{\"Version\":\"9\",\"Id\":\"\"}", "{\"Version\":\"1\"}"]
  policy_id                 = "keep"
}

data "aws_iam_policy_document" "old_version_with_ampersands_in_actions" {
  version = "2008-10-17"
  statement {
    actions = ["&{aws:username}"]
  }
}

data "aws_iam_policy_document" "no_values" {
  statement {
    condition {
      test     = "a"
      variable = "b"
      values   = []
    }
  }
}

data "aws_iam_policy_document" "empty_strings" {
  statement {
    sid       = " A "
    actions   = ["", "a"]
    resources = [""]
  }
}

data "aws_iam_policy_document" "principals_repeated" {
  statement {
    principals {
      type        = "AWS"
      identifiers = ["a", "b"]
    }
    principals {
      type        = "AWS"
      identifiers = ["a"]
    }
    principals {
      type        = "AWS"
      identifiers = ["b", "a"]
    }
    not_principals {
      type        = "AWS"
      identifiers = ["q"]
    }
  }
}

data "aws_iam_policy_document" "two_stars" {
  statement {
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    principals {
      type        = "*"
      identifiers = ["*", "x"]
    }
  }
}

data "aws_iam_policy_document" "many_principals_of_one_kind" {
  statement {
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::111111111111:root"]
    }
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::222222222222:root", "arn:aws:iam::222222222223:role/é"]
    }
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::333333333333:root", "333333333334", "333333333335", "333333333336"]
    }
    principals {
      type        = "AWS"
      identifiers = []
    }
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::444444444444:root"]
    }
    principals {
      type        = "AWS"
      identifiers = ["&{x}", "y"]
    }
  }
}

data "aws_iam_policy_document" "many_conditions_of_one_variable" {
  statement {
    condition {
      test     = "StringLike"
      variable = "aws:PrincipalArn"
      values   = ["arn:aws:iam::*:role/a"]
    }
    condition {
      test     = "StringLike"
      variable = "aws:PrincipalArn"
      values   = ["arn:aws:iam::*:role/b", "arn:aws:iam::*:role/&{c}"]
    }
    condition {
      test     = "StringLike"
      variable = "aws:PrincipalArn"
      values   = []
    }
    condition {
      test     = "StringLike"
      variable = "aws:PrincipalArn"
      values   = ["", "é", "z"]
    }
    condition {
      test     = "StringLike"
      variable = "aws:PrincipalArn"
      values   = ["d"]
    }
    condition {
      test     = "StringNotLike"
      variable = "aws:PrincipalArn"
      values   = ["d"]
    }
    condition {
      test     = "StringLike"
      variable = "&{v}"
      values   = ["d"]
    }
  }
}

data "aws_iam_policy_document" "order_before_variables" {
  statement {
    resources = ["&{a}", "%"]
    principals {
      type        = "AWS"
      identifiers = ["&{a}", "%"]
    }
  }
}
