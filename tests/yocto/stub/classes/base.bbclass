addtask fetch
addtask unpack after do_fetch
addtask configure after do_unpack
addtask compile after do_configure
addtask install after do_compile
addtask populate_sysroot after do_install
addtask build after do_populate_sysroot

python base_do_fetch() {
    try:
        bb.fetch2.Fetch(d.getVar("SRC_URI").split(), d).download()
    except bb.fetch2.BBFetchException as cause:
        bb.fatal(str(cause))
}

python base_do_unpack() {
    bb.utils.mkdirhier(d.getVar("UNPACKDIR"))
    bb.fetch2.Fetch(d.getVar("SRC_URI").split(), d).unpack(d.getVar("UNPACKDIR"))
}

# Where OE-core warns, the test ends.
python stub_look_at_s() {
    if d.getVar("SRC_URI") and not os.path.exists(d.getVar("S")):
        bb.fatal("S of %s is %s, which is not there" % (d.getVar("PN"), d.getVar("S")))
}
do_unpack[postfuncs] += "stub_look_at_s"

base_do_configure() {
    :
}

base_do_compile() {
    :
}

base_do_install() {
    :
}

base_do_populate_sysroot() {
    :
}

# It strips what it takes.
STUB_STRIPS = ""
STUB_STRIPS:class-target = "virtual/cross-binutils:do_populate_sysroot"
do_populate_sysroot[depends] += "${STUB_STRIPS}"

base_do_build() {
    :
}

do_compile[dirs] = "${B}"
do_install[dirs] = "${B}"

EXPORT_FUNCTIONS do_fetch do_unpack do_configure do_compile do_install do_populate_sysroot do_build

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

# PACKAGECONFIG[name] = "with,without,DEPENDS,RDEPENDS" as OE-core reads it.
python () {
    chosen = (d.getVar("PACKAGECONFIG") or "").split()
    known = {name: flag for name, flag in (d.getVarFlags("PACKAGECONFIG") or {}).items() if name not in ("doc", "defaultval")}
    for name in chosen:
        if name not in known:
            bb.fatal("PACKAGECONFIG has %s, and there is no PACKAGECONFIG[%s]" % (name, name))
    arguments = []
    for name in sorted(known):
        fields = [field.strip() for field in d.expand(known[name]).split(",")] + [""] * 4
        arguments.append(fields[0] if name in chosen else fields[1])
        if name in chosen and fields[3]:
            d.appendVar("RDEPENDS:" + d.getVar("PN"), " " + fields[3])
    d.setVar("PACKAGECONFIG_CONFARGS", " ".join(filter(None, arguments)))
}
