"""moto's server as the tests start it: what it looks up anew for every request it looks up once.

It asks 180 times whether a file is a folder, and lists every method of a service's class: a third of what it costs.
"""

from functools import cache

import moto.backends
import moto.core.responses
from moto.server import main

modules = tuple(moto.backends.list_of_moto_modules())
moto.backends.list_of_moto_modules = lambda: modules
moto.core.responses.method_names_from_class = cache(moto.core.responses.method_names_from_class)

if __name__ == "__main__":
    main()
