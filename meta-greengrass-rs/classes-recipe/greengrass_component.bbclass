# Puts one Greengrass component into the image: its recipe, checked by the runtime itself, and its artifacts.
# greengrass-baked deploys it when the device first starts with it.
#
#   SRC_URI = "file://com.example.Mine-1.0.0.yaml file://mine.py;subdir=artifacts"
#   inherit greengrass_component
#
# Name and version are those of the recipe. A refused recipe, or an artifact that is missing, ends the build.

GREENGRASS_COMPONENT_RECIPE ?= "${UNPACKDIR}/recipe.yaml"
GREENGRASS_COMPONENT_RECIPE[doc] = "The component's recipe, JSON or YAML"
GREENGRASS_COMPONENT_ARTIFACTS ?= "${UNPACKDIR}/artifacts"
GREENGRASS_COMPONENT_ARTIFACTS[doc] = "Directory with the component's artifacts; it may be missing where the recipe names none"
GREENGRASS_COMPONENT_MODE ?= "staged"
GREENGRASS_COMPONENT_MODE[doc] = "staged: in the image, copied into the runtime's store at the first start; store: in the \
store itself, for images whose GREENGRASS_ROOT is part of the root file system"

GREENGRASS_COMPONENTS_DIR = "${datadir}/greengrass/components"

DEPENDS += "greengrass-rs-native"
FILES:${PN} += "${GREENGRASS_COMPONENTS_DIR} ${GREENGRASS_ROOT}/packages"
RDEPENDS:${PN} += "greengrass-baked"

python greengrass_component_do_compile () {
    recipe = d.getVar("GREENGRASS_COMPONENT_RECIPE")
    if not os.path.isfile(recipe):
        bb.fatal("there is no %s: set GREENGRASS_COMPONENT_RECIPE to the component's recipe" % recipe)
    try:
        name, version, warnings = greengrass.component.check(recipe)
    except greengrass.component.Refused as cause:
        bb.fatal("the Greengrass runtime refuses this recipe:\n%s" % cause)
    for warning in warnings:
        bb.warn(warning)
    artifacts = d.getVar("GREENGRASS_COMPONENT_ARTIFACTS")
    for file in greengrass.component.artifacts(recipe):
        if not os.path.isfile(os.path.join(artifacts, file)):
            bb.fatal("%s names the artifact %s, which is not in %s" % (recipe, file, artifacts))
    build = d.getVar("B")
    for file, content in (
        ("name", name),
        ("version", version),
        ("stored", greengrass.component.stored_name(name, version, recipe)),
        ("digest", greengrass.component.digest([recipe, artifacts])),
    ):
        with open(os.path.join(build, file), "w") as out:
            out.write(content)
}
do_compile[vardeps] += "GREENGRASS_COMPONENT_RECIPE GREENGRASS_COMPONENT_ARTIFACTS"
do_compile[dirs] = "${B}"

greengrass_component_do_install () {
    name=$(cat ${B}/name)
    version=$(cat ${B}/version)
    recipe=${GREENGRASS_COMPONENT_RECIPE}
    case "${GREENGRASS_COMPONENT_MODE}" in
    staged)
        recipes=${D}${GREENGRASS_COMPONENTS_DIR}/recipes
        artifacts=${D}${GREENGRASS_COMPONENTS_DIR}/artifacts
        stored=$name-$version.${@'json' if d.getVar('GREENGRASS_COMPONENT_RECIPE').endswith('.json') else 'yaml'}
        install -d $recipes
        ;;
    store)
        recipes=${D}${GREENGRASS_ROOT}/packages/recipes
        artifacts=${D}${GREENGRASS_ROOT}/packages/artifacts
        stored=$(cat ${B}/stored)
        # As the daemon makes it: what a recipe says is nobody's but root's.
        install -d -m 0755 ${D}${GREENGRASS_ROOT}/packages
        install -d -m 0700 $recipes
        ;;
    *) bbfatal "GREENGRASS_COMPONENT_MODE is \"${GREENGRASS_COMPONENT_MODE}\"; it can be staged or store" ;;
    esac
    install -m 0644 $recipe $recipes/$stored
    if [ -d ${GREENGRASS_COMPONENT_ARTIFACTS} ]; then
        install -d $artifacts/$name/$version
        cp -R --no-dereference --preserve=mode,timestamps ${GREENGRASS_COMPONENT_ARTIFACTS}/. $artifacts/$name/$version
    fi
    # What greengrass-baked deploys; the digest tells it that an image has brought another one.
    install -d ${D}${GREENGRASS_COMPONENTS_DIR}/deploy
    printf '%s=%s %s\n' $name $version $(cat ${B}/digest) > ${D}${GREENGRASS_COMPONENTS_DIR}/deploy/$name
}

# The place differs, the files do not.
do_install[vardeps] += "GREENGRASS_ROOT GREENGRASS_COMPONENT_MODE"

EXPORT_FUNCTIONS do_compile do_install
