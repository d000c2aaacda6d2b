# Takes run-ptest along, as OE-core does, where the distribution has tests.
do_install_ptest_base() {
    install -D ${UNPACKDIR}/run-ptest ${D}${PTEST_PATH}/run-ptest
}
