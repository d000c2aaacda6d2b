addtask fetch
addtask unpack after do_fetch
addtask configure after do_unpack
addtask compile after do_configure
addtask install after do_compile
addtask build after do_install

base_do_fetch() {
    :
}

python base_do_unpack() {
    bb.utils.mkdirhier(d.getVar("UNPACKDIR"))
    bb.fetch2.Fetch(d.getVar("SRC_URI").split(), d).unpack(d.getVar("UNPACKDIR"))
}

base_do_configure() {
    :
}

base_do_compile() {
    :
}

base_do_install() {
    :
}

base_do_build() {
    :
}

do_compile[dirs] = "${B}"
do_install[dirs] = "${B}"

EXPORT_FUNCTIONS do_fetch do_unpack do_configure do_compile do_install do_build

# What a function says is kept beside it, for the tests to read.
bbnote() {
    echo "NOTE: $*" >> ${T}/said
}

bbwarn() {
    echo "WARNING: $*" >> ${T}/said
}

bbfatal() {
    echo "ERROR: $*" >> ${T}/said
    exit 1
}
