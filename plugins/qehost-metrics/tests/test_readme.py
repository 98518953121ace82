"""README.md has each metric, and no other."""

import re


def test_the_readme_has_each_metric_and_no_other(request):
    folder = request.config.rootpath
    code = "".join(
        file.read_text(encoding="utf-8")
        for file in sorted((folder / "qehost_metrics").glob("*.py"))
    )
    readme = (folder / "README.md").read_text(encoding="utf-8")
    served = set(re.findall(r'"(qehost_[a-z_]+)"', code))
    told = {name.removesuffix("_total") for name in re.findall(r"`(qehost_[a-z_]+)", readme)}
    assert len(served) > 20
    assert told == served
