"""The local cloud held to AWS: recordings of what AWS answered are replayed against ministack and moto as Foregate's tests
start them, with the patches of tests/local_cloud. `make recordings` runs these tests.

The recordings are not part of the repository. Where their folder is not beside the checkout, a test that needs them says so
and is skipped; what they taught also stands in tests that need none of them.
"""
