# SPDX-License-Identifier: Apache-2.0
"""The public test suite of HTTP caches, against Yett and against other proxies."""
