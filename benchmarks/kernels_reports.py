"""Public reports of kernels that an install broke, each as the cells that bring the same about.

Where the package of the report is heavy, a small local wheel stands for it that requires the same versions.
"""

from __future__ import annotations

from dataclasses import dataclass

USE_NUMPY = (
    "import numpy as np, numpy.testing, numpy.f2py, numpy.polynomial, numpy.ma, numpy.ctypeslib\n"
    "assert np.random.default_rng(0).normal(size=3).shape == (3,) and np.ma.array([1, 2]).sum() == 3"
)
UV = "!uv pip install -q --python {__import__('sys').executable} "
USE_PYDANTIC = (
    "import pydantic, pydantic.networks, pydantic.json_schema\n"
    "class M(pydantic.BaseModel):\n    x: int = 1\n"
    "assert M(x='2').x == 2 and M.model_json_schema()"
)


@dataclass(frozen=True, slots=True)
class Report:
    """One report.

    Attributes:
        source: `owner/repository#number` on GitHub.
        load: the cell that loads what the install replaces.
        install: the cell that installs.
        use: what the user does then; it must work in the end.
        before: requirements that the environment is brought to before the kernel starts.
    """

    source: str
    load: str
    install: str
    use: str
    before: tuple[str, ...] = ()


# name: (version, requirements, text of its module)
LOCAL_WHEELS = {
    "dascore-like": ("0.13", ("numpy>=2.2,<2.3",), "import numpy.testing, numpy.ma\n"),
    "pylinac-like": ("3.31", ("numpy<2",), "import numpy.random, numpy.testing\n"),
    "amp-modeler-like": ("0.12", ("numpy<2",), "import numpy.random.mtrand, numpy.fft\n"),
    "openai-like": ("1.55", ("typing-extensions>=4.14",), "from typing_extensions import TypeIs\n"),
    "lda-like": ("1.1", ("pbr<4",), "import pbr.version\n"),
    "orion-like": ("0.1", ("urllib3<2", "pandas==2.2.3"), "import urllib3.contrib, pandas.plotting\n"),
    "spectra-like": ("0.4", (), "x = 1\n"),
    "solver-like": ("2.0", ("numpy>=2",), "import numpy\nx = numpy.ones(3)\n"),
}

REPORTS = (
    Report("numpy/numpy#25725", "import numpy", "!pip install -q 'numpy~=1.26'", USE_NUMPY),
    Report(
        "googlecolab/colabtools#5205",
        "import numpy",
        "!pip install -q pandas==2.2.3 numpy==1.26.4",
        "import pandas as pd\nassert pd.DataFrame({'a': [1, 2]}).a.sum() == 3",
    ),
    Report("DASDAE/dascore#271", "import numpy, pandas", "!pip install -q dascore-like", USE_NUMPY),
    Report(
        "jrkerns/pylinac#561",
        "import numpy",
        "!pip install -q pylinac-like",
        USE_NUMPY + "\nimport scipy.stats",
    ),
    Report(
        "facebookresearch/tribev2#56",
        "import numpy, scipy.linalg",
        "%pip install -q numpy==2.2.6",
        "import numpy.strings\n" + USE_NUMPY,
    ),
    Report(
        "sokrypton/ColabFold#693",
        "import numpy",
        "import os\nos.system('pip uninstall -q -y numpy')\nos.system('pip install -q numpy==1.26.4')",
        USE_NUMPY,
    ),
    Report(
        "decoderesearch/circuit-tracer#106",
        "import numpy",
        UV + "numpy==2.3.5",
        USE_NUMPY,
    ),
    Report(
        "sdatkinson/neural-amp-modeler#543",
        "import numpy, matplotlib.pyplot",
        "!pip install -q amp-modeler-like",
        USE_NUMPY,
    ),
    # six stands for pynvml.
    Report(
        "googlecolab/colabtools#5197",
        "import pbr.version, six",
        "!pip install -q six==1.16.0",
        "import six.moves\nassert six.PY3",
    ),
    Report(
        "unslothai/notebooks#325",
        "import PIL.Image",
        UV + "--upgrade pillow",
        "from PIL import Image, ImageDraw, ImageFont, features\n"
        "ImageDraw.Draw(Image.new('RGB', (9, 9))).text((0, 0), 'x')\n"
        "features.check('freetype2')",
    ),
    Report(
        "python/typing_extensions#510",
        "import typing_extensions",
        "!pip install -q openai-like --upgrade",
        "from typing_extensions import TypedDict\nimport typing_extensions as t\nassert t.Literal",
        before=("typing-extensions==4.9.0",),
    ),
    Report("mem0ai/mem0#17", "import pydantic", "!pip install -q typing_extensions==4.7.1", USE_PYDANTIC),
    Report(
        "gradio-app/gradio#5086",
        "import typing_extensions",
        "!pip uninstall -q -y typing-extensions; pip install -q -U typing-extensions",
        "import typing_extensions as t\nassert t.Literal and t.TypedDict",
        before=("typing-extensions==4.4.0",),
    ),
    Report(
        "vllm-project/vllm#8650",
        "import cv2",
        "!pip install -q --no-deps opencv-python-headless==4.11.0.86",
        "import cv2, numpy as np\nassert cv2.blur(np.zeros((4, 4), 'uint8'), (2, 2)).sum() == 0",
    ),
    Report(
        "nicknochnack/TFODCourse#122",
        "import google.protobuf.message, matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot",
        "!pip uninstall protobuf matplotlib -q -y\n!pip install -q protobuf==4.25.8 matplotlib==3.9.4",
        "import google.protobuf.json_format, google.protobuf.struct_pb2\n"
        "import matplotlib.animation, matplotlib.pyplot as plt\n"
        "plt.figure().canvas.draw()",
    ),
    Report(
        "huggingface/deep-rl-class#232",
        "import google.protobuf.message, google.protobuf.descriptor",
        "!pip install -q 'protobuf==3.20.*'",
        "from google.protobuf import json_format, struct_pb2, timestamp_pb2\n"
        "s = struct_pb2.Struct()\n"
        "s['a'] = 1.0\n"
        "assert json_format.MessageToJson(s)",
    ),
    Report(
        "googlecolab/colabtools#336",
        "import pbr.version",
        "!pip install -q --force-reinstall lda-like",
        "import pbr.version\nassert pbr.version.VersionInfo('pbr').release_string()",
    ),
    Report(
        "AI4Finance-Foundation/FinRL-Meta#91",
        "import pkg_resources",
        "!pip install -q setuptools==80.9.0",
        "import setuptools, pkg_resources\nassert pkg_resources.parse_version('1.0') and setuptools.find_packages",
    ),
    Report(
        "googlecolab/colabtools#3792",
        "import typing_extensions",
        "!pip install -q typing-extensions==4.5.0",
        "import typing_extensions as t\nassert t.Literal and t.Annotated",
    ),
    Report(
        "googlecolab/colabtools#298",
        "import pandas",
        "!pip install -q pandas==2.3.1",
        "import pandas as pd, pandas.plotting, pandas.io.sas\nassert pd.Series([1, 2]).rolling(2).sum().iloc[1] == 3",
    ),
    Report(
        "bowang-lab/MedSAM#214",
        "import zmq",
        "!pip install -q pyzmq==26.4.0",
        "import zmq.auth, zmq.devices\nassert zmq.zmq_version()",
    ),
    Report(
        "sintel-dev/Orion#182",
        "import requests, pandas",
        "!pip install -q orion-like",
        "import requests, urllib3.contrib, urllib3.util.retry, pandas.plotting\n"
        "assert requests.Session().get_adapter('https://x')",
    ),
    Report(
        "googlecolab/colabtools#327",
        "import pandas",
        "!pip install -q pandas --upgrade --no-deps",
        "import pandas as pd, pandas.api.types, pandas.io.json, pandas.plotting\nassert pd.Series([1, 2]).sum() == 3",
    ),
    Report(
        "IntelLabs/distiller#329",
        "import prompt_toolkit",
        "!pip install -q prompt-toolkit==3.0.43",
        "import prompt_toolkit.shortcuts, prompt_toolkit.contrib\nassert prompt_toolkit.__version__",
    ),
    Report(
        "EOL/computer-vision-with-EOL-images#11",
        "import PIL.Image, matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot",
        "open('requirements.txt', 'w').write('pillow==11.0.0\\n"
        "matplotlib==3.10.3\\n"
        "')\n"
        "!pip install -q -r requirements.txt",
        "from PIL import ImageFilter, ImageCms\n"
        "import matplotlib.animation, matplotlib.pyplot as plt\n"
        "plt.figure().canvas.draw()",
    ),
    Report(
        "googlecolab/colabtools#260",
        "import scipy.linalg",
        "!pip install -q scipy==1.14.1",
        "import scipy.stats, scipy.signal\nassert scipy.stats.norm.cdf(0) == 0.5",
    ),
    Report(
        "KULL-Centre/_2024_buelow_PSpred#1",
        "import sklearn, sklearn.base",
        "!pip install -q scikit-learn==1.5.2",
        "from sklearn.linear_model import LinearRegression\n"
        "assert LinearRegression().fit([[0], [1]], [0, 1]).coef_[0] > 0.9",
    ),
    Report(
        "huggingface/blog#344",
        "import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot",
        "!pip install -q -U matplotlib",
        "import matplotlib.animation, mpl_toolkits.mplot3d, matplotlib.pyplot as plt\nplt.figure().canvas.draw()",
    ),
    Report("567-labs/instructor#202", "import pydantic", "!pip install -q pydantic==2.10.6", USE_PYDANTIC),
    Report("CEXT-Dan/PyRx#539", "import pydantic", "!pip install -q pydantic-core==2.33.2", USE_PYDANTIC),
    Report(
        "gwpy/gwpy#1398",
        "import six, requests",
        "!pip install -q --force-reinstall --no-deps six==1.17.0",
        "import six.moves\nassert six.PY3",
    ),
    Report(
        "googlecolab/colabtools#147",
        "import numpy, pandas",
        "!pip install -q spectra-like",
        "import spectra_like\n" + USE_NUMPY,
    ),
    Report(
        "huggingface/transformers#19774",
        "import numpy, scipy.linalg",
        "!pip install -q solver-like",
        "import solver_like\n" + USE_NUMPY,
    ),
)
