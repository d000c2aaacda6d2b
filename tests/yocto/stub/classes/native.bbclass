PN:append = "-native"
GG_TEST_CLASS = "native"
