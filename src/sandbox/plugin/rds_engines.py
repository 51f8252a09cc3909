"""Which engine versions RDS has, as far as the sandbox needs to know."""

import re

from moto.rds.exceptions import RDSClientError

# For every major version its first and its last minor version.
VERSIONS = {
    "postgres": {
        "11": (1, 22),
        "12": (2, 22),
        "13": (1, 23),
        "14": (1, 24),
        "15": (2, 19),
        "16": (1, 15),
        "17": (1, 11),
        "18": (1, 6),
    },
    "mysql": {"5.7": (33, 44), "8.0": (11, 46), "8.4": (3, 11)},
    "mariadb": {
        "10.4": (13, 34),
        "10.5": (8, 29),
        "10.6": (5, 28),
        "10.11": (4, 19),
        "11.4": (3, 13),
        "11.8": (3, 9),
    },
}
DEFAULT_MAJOR = {"postgres": "17", "mysql": "8.4", "mariadb": "11.8"}
DESCRIPTIONS = {
    "postgres": "PostgreSQL",
    "mysql": "MySQL Community Edition",
    "mariadb": "MariaDB Community Edition",
}
LICENSES = {"postgres": "postgresql-license"}


def concrete_version(engine, asked):
    """The full version that RDS makes of "15", "15.7" or nothing; refuses what it has not."""
    if engine not in VERSIONS:
        return asked
    majors = VERSIONS[engine]
    if not asked:
        asked = DEFAULT_MAJOR[engine]
    if asked in majors:
        return f"{asked}.{majors[asked][1]}"
    major, _, minor = asked.rpartition(".")
    number = re.match(r"(\d+)(-rds\.\d+)?$", minor)
    if major in majors and number:
        first, last = majors[major]
        if first <= int(number.group(1)) <= last:
            return asked
    raise RDSClientError("InvalidParameterCombination", f"Cannot find version {asked} for {engine}")


def major_of(engine, version):
    """The major version, by which parameter groups go."""
    if engine in VERSIONS:
        return next(
            (m for m in VERSIONS[engine] if version == m or version.startswith(f"{m}.")),
            version,
        )
    return version.rpartition(".")[0]


def family_of(engine, version):
    """The parameter group family of a version: postgres15, mysql8.0."""
    return f"{engine}{major_of(engine, version)}"


def is_known_family(family):
    """Whether a parameter group can be of this family, where we can tell."""
    for engine, majors in VERSIONS.items():
        rest = family.removeprefix(engine)
        if rest != family and re.match(r"[\d.]*$", rest):
            return rest in majors
    return True


def is_older(version, other):
    """Whether a version comes before another."""
    return _numbers(version) < _numbers(other)


def _numbers(version):
    return [int(n) for n in re.findall(r"\d+", version.split("-")[0])]


def listed(engine=None, version=None, family=None, default_only=False):
    """What DescribeDBEngineVersions shows."""
    return [
        entry
        for name in VERSIONS
        if engine in (None, name)
        for entry in _entries(name, default_only)
        if version in (None, entry["EngineVersion"], major_of(name, entry["EngineVersion"]))
        and family in (None, entry["DBParameterGroupFamily"])
    ]


def _entries(engine, default_only):
    for major, (first, last) in VERSIONS[engine].items():
        if default_only and major != DEFAULT_MAJOR[engine]:
            continue
        for minor in [last] if default_only else range(first, last + 1):
            yield {
                "Engine": engine,
                "EngineVersion": f"{major}.{minor}",
                "MajorEngineVersion": major,
                "DBParameterGroupFamily": f"{engine}{major}",
                "DBEngineDescription": DESCRIPTIONS[engine],
                "DBEngineVersionDescription": f"{DESCRIPTIONS[engine]} {major}.{minor}",
                "Status": "available",
            }
