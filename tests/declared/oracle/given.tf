# What the expressions refer to as `local.…`.
locals {
  list    = tolist(["a", "b", "c"])
  numbers = tolist([3, 1, 2])
  set     = toset(["b", "a", "c"])
  map     = tomap({ b = "2", a = "1" })
  tuple   = ["a", 1, true, null]
  object  = { name = "n", size = 3, tags = { x = "y" }, items = ["i", "j"], none = null }
  objects = [
    { id = "a", n = 1, on = true, parts = [{ k = "a1" }, { k = "a2" }] },
    { id = "b", n = 2, on = false, parts = [] },
    { id = "c", n = 3, on = true, parts = [{ k = "c1" }] },
  ]
  by_key = { one = { id = "a", n = 1 }, two = { id = "b", n = 2 } }
  maps   = tomap({ x = { a = 1, b = 2 }, y = { a = 3, b = 4 } })
  secret = sensitive("s3cret")
  mixed  = { open = "o", hidden = sensitive("h") }
  empty  = []
  nil    = null
  text   = "héllo wörld"
  zero   = 0
  yes    = true
}
