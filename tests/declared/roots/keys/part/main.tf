resource "terraform_data" "one" {
  input = sensitive("canary-77d2")
}
