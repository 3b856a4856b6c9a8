# SPDX-License-Identifier: Apache-2.0
"""Parts of the system tests: the gateway under test, origins, clients, keys."""
