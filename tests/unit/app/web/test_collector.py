import gc

import pytest

from app.web.collector import not_yet_collecting


def test_nothing_is_collected_while_the_program_begins_and_everything_after_also_if_it_cannot():
    with not_yet_collecting():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), not_yet_collecting():
        raise ImportError
    assert gc.isenabled()
