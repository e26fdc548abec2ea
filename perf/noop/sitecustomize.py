"""Python runs this at every start with this folder on its path, so that Ray's workers know the stage too."""

import noop

noop.install()
