addtask fetch
addtask unpack after do_fetch
addtask configure after do_unpack
addtask compile after do_configure
addtask install after do_compile
addtask build after do_install

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
