from_tfvars = "terraform.tfvars"
from_auto   = ["terraform.tfvars"]
password    = "hunter2"
limits = {
  a = { low = 1 }
  b = { low = "5", high = 6, ignored = true }
}
