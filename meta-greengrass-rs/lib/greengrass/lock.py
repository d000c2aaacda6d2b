"""The crates of a Cargo.lock. Cargo writes it, so its lines have one form; tomllib is not on every build host."""


class Unfit(Exception):
    """A package that BitBake could not fetch in a way that can be checked."""


def crates(lines):
    """Those that come from a registry, as BitBake wants them: name of the source, its checksum, its URI. Packages of
    the workspace itself have no source."""
    found = [crate(package) for package in packages(lines) if "source" in package]
    return sorted(found)


def packages(lines):
    package = None
    for line in lines:
        line = line.strip()
        if line.startswith("["):
            if package:
                yield package
            package = {} if line == "[[package]]" else None
        elif package is not None and '" = "' not in line and ' = "' in line:
            key, value = line.split(" = ", 1)
            package[key] = value.strip('"')
    if package:
        yield package


def crate(package):
    name, version, source = package["name"], package["version"], package["source"]
    if not source.startswith("registry+") or "checksum" not in package:
        raise Unfit("%s %s comes from %s, not from a registry with a checksum" % (name, version, source))
    # The index of a registry is named for its host.
    host = source.rsplit("/", 1)[1]
    if not host.endswith("-index"):
        raise Unfit("%s %s comes from %s, which is not the index of a registry" % (name, version, source))
    uri = "crate://%s/%s/%s" % (host[: -len("-index")], name, version)
    return name + "-" + version, package["checksum"], uri
