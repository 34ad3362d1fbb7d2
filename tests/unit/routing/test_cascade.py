from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from nested_ray.config.routing import RoutingConfig
from nested_ray.errors import (
    InvalidRequest,
    LevelUnavailable,
    ModelNotFound,
    Overloaded,
    PromptTooLong,
)
from nested_ray.inference.base import Prompt, SamplingParams
from nested_ray.routing import Answer, Ask, Router, Verifier
from nested_ray.routing.base import Reason, Shortcoming
from nested_ray.routing.breaker import Breaker

from .conftest import DictCache, ScriptedLevel, arm, ask


def test_the_lowest_level_answers_when_it_is_good_enough(route, levels):
    answer = route()
    assert (answer.level, answer.action) == ("syntax", "cascade")
    assert answer.confidence == pytest.approx(0.9)
    assert answer.level_contributions == {"syntax": 1.0, "semantics": 0.0, "architecture": 0.0}
    assert answer.versions == {"syntax": "default@1"}
    assert not levels["semantics"].calls


def test_an_unsure_answer_goes_on_to_the_next_level(route, levels):
    levels["syntax"].probability = 0.3
    answer = route()
    assert answer.level == "semantics"
    unsure = Shortcoming(Reason.UNSURE, "confidence 0.30 is under 0.50")
    assert answer.escalated == {"syntax": unsure}
    assert answer.versions == {"syntax": "default@1", "semantics": "default@1"}


def test_an_answer_that_breaks_the_file_goes_on_however_sure_it_is(route, levels):
    levels["syntax"].text = ")"
    levels["syntax"].probability = 1.0
    answer = route()
    assert answer.level == "semantics"
    assert answer.escalated["syntax"].reason is Reason.BROKEN


def test_the_highest_level_answers_whatever_it_is_worth(route, levels):
    for level, probability in zip(levels.values(), (0.4, 0.3, 0.2), strict=True):
        level.probability = probability
    answer = route()
    assert answer.level == "architecture"
    assert list(answer.escalated) == ["syntax", "semantics"]


def test_where_the_highest_breaks_the_file_one_that_parses_is_preferred(route, levels):
    levels["syntax"].probability, levels["semantics"].probability = 0.2, 0.3
    levels["architecture"].text = ")"
    assert route().level == "semantics"


def test_where_none_fits_what_is_left_of_one_is_the_answer(route, levels):
    for level, text in zip(levels.values(), (")", "y )", ")"), strict=True):
        level.text, level.probability = text, 0.9
    answer = route()
    (choice,) = answer.choices
    assert (answer.level, choice.completion.text, choice.filtered) == ("semantics", "y", "trimmed")
    assert [reason.reason for reason in answer.escalated.values()] == [Reason.BROKEN] * 2


def test_where_nothing_is_left_of_any_the_answer_is_empty(route, levels):
    for level in levels.values():
        level.text = ")"
    for asked in (ask(), ask(model="ensemble"), ask(model="syntax")):
        (choice,) = route(asked).choices
        assert (choice.completion.text, choice.filtered, choice.parses) == ("", "refused", True)


def test_configured_threshold_beats_calibrated_beats_general(levels):
    levels["syntax"].probability = 0.6

    def level(**settings: object) -> str:
        config = RoutingConfig(confidence_threshold=0.5, **settings)
        router = Router([arm(syntax=0.7)], levels, config, Verifier())
        return asyncio.run(router.answer(ask())).level

    assert level() == "semantics"
    assert level(level_thresholds={"syntax": 0.55}) == "syntax"


def test_without_adaptive_selection_the_highest_level_answers(route, levels):
    answer = route(adaptive_selection=False)
    assert (answer.level, answer.action) == ("architecture", "direct")


def test_without_adaptive_selection_a_lower_level_stands_in_for_a_dead_one(route, levels):
    levels["architecture"].error = LevelUnavailable("gone")
    answer = route(adaptive_selection=False)
    assert answer.level == "semantics"
    assert answer.skipped == {"architecture": "gone"}


def test_a_named_level_answers_unjudged(route, levels):
    levels["semantics"].probability = 0.01
    assert route(ask(model="semantics")).level == "semantics"


def test_a_named_level_has_no_substitute(route, levels):
    levels["semantics"].error = LevelUnavailable("gone")
    with pytest.raises(LevelUnavailable, match="semantics: gone"):
        route(ask(model="semantics"))


def test_a_task_may_be_kept_to_some_levels(route, levels):
    levels["syntax"].probability = levels["semantics"].probability = 0.1
    settings = {"task_levels": {"line": ("syntax", "semantics")}}
    assert route(ask(task="line"), **settings).level == "semantics"
    assert route(ask(), **settings).level == "architecture"


def test_unknown_models_and_tasks_are_named_with_what_there_is(route):
    with pytest.raises(ModelNotFound, match="'gpt-4'; use auto, ensemble, syntax"):
        route(ask(model="gpt-4"))
    with pytest.raises(InvalidRequest, match="'poetry'; use one of completion, line"):
        route(ask(task="poetry"))


@pytest.mark.parametrize("error", [LevelUnavailable("gone"), Overloaded("full")])
def test_a_level_that_fails_is_skipped_and_named(route, levels, error):
    levels["syntax"].error = error
    answer = route()
    assert answer.level == "semantics"
    assert answer.skipped == {"syntax": str(error)}
    assert answer.shed == (("syntax",) if isinstance(error, Overloaded) else ())


def test_a_level_that_hangs_is_cancelled_and_skipped(route, levels):
    levels["syntax"].hangs = True
    answer = route(request_timeout_s=0.3)
    assert answer.level == "semantics"
    assert levels["syntax"].was_cancelled
    assert answer.latency.queue_ms >= 90  # a third of the deadline was its share


@pytest.mark.parametrize("model", ["auto", "ensemble", "semantics"])
def test_a_prompt_that_is_too_long_for_one_level_is_too_long_for_all(route, levels, model):
    first = "semantics" if model == "semantics" else "syntax"
    levels[first].error = PromptTooLong("the prompt has 9 tokens")
    with pytest.raises(PromptTooLong, match="9 tokens"):
        route(ask(model=model))
    if model == "auto":
        assert not levels["semantics"].calls


def test_a_prompt_that_is_too_long_ends_a_stream_as_well(levels):
    levels["architecture"].error = PromptTooLong("the prompt has 9 tokens")
    config = RoutingConfig(adaptive_selection=False)
    router = Router([arm()], levels, config, Verifier())
    with pytest.raises(PromptTooLong):
        collect(router, ask())
    assert not levels["semantics"].calls


def test_a_request_that_takes_too_long_leaves_the_levels_to_others(levels):
    router = Router([arm()], levels, RoutingConfig(request_timeout_s=0.03), Verifier())

    async def story() -> Answer:
        for level in levels.values():
            level.hangs = True
        with pytest.raises(LevelUnavailable, match=r"did not answer within .* lower max_tokens"):
            await router.answer(ask())
        for level in levels.values():
            level.hangs = False
        return await router.answer(ask())

    answer = asyncio.run(story())
    assert (answer.level, answer.skipped) == ("syntax", {})


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ((LevelUnavailable("gone"), LevelUnavailable("gone"), Overloaded("full")), Overloaded),
        ((LevelUnavailable("gone"), Overloaded("full"), LevelUnavailable("gone")), Overloaded),
        ((LevelUnavailable("gone"),) * 3, LevelUnavailable),
    ],
)
def test_when_nobody_answers_the_error_is_the_one_the_caller_can_act_on(
    route, levels, errors, expected
):
    for level, error in zip(levels.values(), errors, strict=True):
        level.error = error
    with pytest.raises(expected):
        route()


def test_a_level_that_failed_is_left_alone_for_a_while_then_tried_again(levels):
    now = 0.0
    router = Router([arm()], levels, RoutingConfig(level_rest_s=5), Verifier(), clock=lambda: now)
    levels["syntax"].error = LevelUnavailable("gone")

    async def ask_at(seconds: float) -> Answer:
        nonlocal now
        now = seconds
        return await router.answer(ask())

    async def story() -> None:
        await ask_at(0)
        resting = await ask_at(1)
        assert len(levels["syntax"].calls) == 1
        assert resting.skipped == {"syntax": "it failed a moment ago"}
        levels["syntax"].error = None
        assert (await ask_at(6)).level == "syntax"
        assert (await ask_at(6)).level == "syntax"

    asyncio.run(story())


def test_when_every_level_rests_they_are_asked_all_the_same(levels):
    router = Router([arm()], levels, RoutingConfig(), Verifier())

    async def story() -> Answer:
        for level in levels.values():
            level.error = LevelUnavailable("gone")
        with pytest.raises(LevelUnavailable):
            await router.answer(ask())
        for level in levels.values():
            level.error = None
        return await router.answer(ask())

    answer = asyncio.run(story())
    assert (answer.level, answer.skipped) == (
        "syntax",
        {"semantics": "it failed a moment ago", "architecture": "it failed a moment ago"},
    )


def test_only_one_request_tries_a_level_that_failed():
    now = 0.0
    breaker = Breaker(5, clock=lambda: now)
    breaker.failed((1, "syntax"))
    assert not breaker.allows((1, "syntax"))
    assert breaker.allows((2, "syntax"))
    now = 6.0
    assert breaker.allows((1, "syntax"))
    assert not breaker.allows((1, "syntax"))
    breaker.succeeded((1, "syntax"))
    assert breaker.allows((1, "syntax"))


def test_latency_parts_add_up_to_the_whole(levels):
    now = 0.0

    class Slow(ScriptedLevel):
        async def generate(self, *args):
            nonlocal now
            now += 0.010
            return replace(await super().generate(*args), engine_ms=7.0)

    levels["syntax"] = Slow()
    router = Router([arm()], levels, RoutingConfig(), Verifier(), clock=lambda: now)
    latency = asyncio.run(router.answer(ask())).latency
    assert latency.engine_ms == pytest.approx(7)
    assert latency.queue_ms == pytest.approx(3)
    assert latency.router_ms == latency.verify_ms == pytest.approx(0)


def test_waiting_for_a_turn_to_score_is_no_engine_time(levels):
    now = 0.0

    class Slow(ScriptedLevel):
        async def score(self, *args):
            nonlocal now
            now += 0.010
            return replace(await super().score(*args), engine_ms=4.0)

    levels["semantics"] = Slow()
    router = Router([arm()], levels, RoutingConfig(), Verifier(), clock=lambda: now)
    latency = asyncio.run(router.answer(ask(model="ensemble"))).latency
    assert latency.engine_ms == pytest.approx(4)
    assert latency.queue_ms == pytest.approx(6)


def test_prompts_of_one_request_share_its_deadline(levels):
    now = 0.0
    config = RoutingConfig(request_timeout_s=30)
    router = Router([arm()], levels, config, Verifier(), clock=lambda: now)
    deadline = router.deadline()
    assert deadline == 30
    assert asyncio.run(router.answer(ask(deadline=deadline))).level == "syntax"
    now = 31.0
    with pytest.raises(LevelUnavailable, match=r"within 0\.0 s"):
        asyncio.run(router.answer(ask(deadline=deadline)))
    assert asyncio.run(router.answer(ask())).level == "syntax"


def test_a_stream_leaves_time_for_the_level_that_stands_in(levels):
    levels["architecture"].hangs = True
    config = RoutingConfig(adaptive_selection=False, request_timeout_s=0.3)
    router = Router([arm()], levels, config, Verifier())
    *_, answer = collect(router, ask())
    assert answer.level == "semantics"
    assert "architecture did not answer" in answer.skipped["architecture"]


def test_the_same_question_is_answered_from_the_cache(levels):
    cache = DictCache()
    router = Router([arm()], levels, RoutingConfig(), Verifier(), cache=cache)
    first = asyncio.run(router.answer(ask()))
    again = asyncio.run(router.answer(ask()))
    assert len(levels["syntax"].calls) == 1
    assert again.cached and not first.cached
    assert again.choices == first.choices
    assert first.cache_missed
    assert again == replace(first, cached=True, cache_missed=False, latency=again.latency)


@pytest.mark.parametrize(
    "change",
    [
        {"prefix": "y = 1\n"},
        {"suffix": "\n"},
        {"n": 2},
        {"model": "semantics"},
        {"task": "line"},
    ],
)
def test_another_question_is_not_answered_from_the_cache(levels, change):
    router = Router([arm()], levels, RoutingConfig(), Verifier(), cache=DictCache())
    asyncio.run(router.answer(ask()))
    assert not asyncio.run(router.answer(ask(**change))).cached


def test_another_version_or_setting_is_another_question(levels):
    cache = DictCache()
    for version, threshold in ((1, 0.5), (2, 0.5), (1, 0.6)):
        config = RoutingConfig(confidence_threshold=threshold)
        router = Router([arm(version)], levels, config, Verifier(), cache=cache)
        assert not asyncio.run(router.answer(ask())).cached


def test_another_nest_under_the_same_name_and_number_is_another_question(levels, monkeypatch):
    cache = DictCache()

    def is_cached(digest: str) -> bool:
        served = replace(arm(1), digest=digest)
        router = Router([served], levels, RoutingConfig(), Verifier(), cache=cache)
        return asyncio.run(router.answer(ask())).cached

    assert [is_cached("a"), is_cached("b"), is_cached("a")] == [False, False, True]
    monkeypatch.setattr("nested_ray.routing.cache.__version__", "next")
    assert not is_cached("a")


def test_random_answers_are_cached_only_with_a_seed(levels):
    router = Router([arm()], levels, RoutingConfig(), Verifier(), cache=DictCache())
    for seed, cached in ((None, False), (7, True)):
        params = SamplingParams(temperature=1.0, seed=seed)
        question = replace(ask(), params=params)
        asyncio.run(router.answer(question))
        assert asyncio.run(router.answer(question)).cached is cached


def test_an_answer_given_while_a_level_was_away_is_not_remembered(levels):
    router = Router([arm()], levels, RoutingConfig(), Verifier(), cache=DictCache())
    levels["syntax"].error = LevelUnavailable("gone")
    asyncio.run(router.answer(ask()))
    assert not asyncio.run(router.answer(ask())).cached


def test_what_another_version_of_the_code_left_in_the_cache_is_ignored(levels):
    cache = DictCache()
    router = Router([arm()], levels, RoutingConfig(), Verifier(), cache=cache)
    asyncio.run(router.answer(ask()))
    for key in cache.values:
        cache.values[key] = {"choices": "something else"}
    assert not asyncio.run(router.answer(ask())).cached


def collect(router: Router, asked) -> list:
    async def run() -> list:
        return [event async for event in router.stream(asked)]

    return asyncio.run(run())


def test_a_named_level_is_streamed_as_it_generates(levels):
    levels["semantics"].text = "abc"
    router = Router([arm()], levels, RoutingConfig(), Verifier(), cache=DictCache())
    unknown = Ask(Prompt("x", language="cobol"), SamplingParams(), model="semantics")
    *parts, answer = collect(router, unknown)
    assert [part.text for part in parts] == ["a", "b", "c"]
    assert [part.finish_reason for part in parts] == [None, None, "stop"]
    assert answer.choices[0].completion.text == "abc"
    *replayed, again = collect(router, unknown)
    assert again.cached and "".join(part.text for part in replayed) == "abc"


def test_lines_of_a_stream_pass_when_the_file_is_sound_with_them(levels):
    levels["semantics"].text = "y = 2\nif y:\n    z = 3\nreturn )\n"
    router = Router([arm()], levels, RoutingConfig(), Verifier())
    *parts, answer = collect(router, ask("x = 1\n", "print(x)\n", model="semantics"))
    assert [part.text for part in parts] == ["y = 2\n", "if y:\n    z = 3\n", ""]
    (choice,) = answer.choices
    assert choice.completion.text == "".join(part.text for part in parts)
    assert (choice.filtered, parts[-1].finish_reason) == ("trimmed", "stop")


def test_a_level_whose_lines_were_held_back_can_be_replaced(levels):
    levels["architecture"].text = "if y:\n"
    levels["architecture"].fails_after = LevelUnavailable("gone")
    router = Router([arm()], levels, RoutingConfig(adaptive_selection=False), Verifier())
    *parts, answer = collect(router, ask("x = 1\n", "print(x)\n"))
    assert ("".join(part.text for part in parts), answer.level) == ("pass", "semantics")


def test_a_cascade_decides_before_its_first_part(levels):
    levels["syntax"].text = ")"
    levels["semantics"].text = "a = 1\nb = 2"
    router = Router([arm()], levels, RoutingConfig(), Verifier())
    *parts, answer = collect(router, ask())
    assert [part.text for part in parts] == ["a = 1\n", "b = 2"]
    assert answer.level == "semantics"
    assert not levels["semantics"].was_cancelled


def test_a_stream_that_nobody_reads_on_ends_the_generation(levels):
    levels["semantics"].text = "a\nbc"
    router = Router([arm()], levels, RoutingConfig(), Verifier())

    async def read_one() -> None:
        events = router.stream(ask(model="semantics"))
        await anext(events)
        await events.aclose()

    asyncio.run(read_one())
    assert levels["semantics"].was_cancelled


def test_n_choices_come_back_in_streams_and_answers(route, levels):
    assert len(route(ask(n=3)).choices) == 3
    router = Router([arm()], levels, RoutingConfig(), Verifier())
    *parts, _ = collect(router, ask(n=3, model="syntax"))
    assert [part.index for part in parts if part.finish_reason] == [0, 1, 2]


def test_a_version_asked_for_by_number_takes_no_part_in_the_split(levels):
    arms = [arm(1, "a"), arm(2, "b")]
    router = Router(arms, levels, RoutingConfig(), Verifier())
    answer = asyncio.run(router.answer(ask(version=2)))
    assert answer.arm is None
    assert answer.versions == {"syntax": "default@2"}
    with pytest.raises(ModelNotFound, match="served are default@1, default@2"):
        asyncio.run(router.answer(ask(version=3)))


def test_the_arms_version_is_what_the_levels_are_asked_for(levels):
    arms = [arm(1, "a", weight=1), arm(2, "b", weight=1)]
    router = Router(arms, levels, RoutingConfig(cache_ttl_s=0), Verifier())

    async def arm_of(unit: str) -> str | None:
        return (await router.answer(ask(unit=unit))).arm

    async def all_arms() -> list[str | None]:
        return [await arm_of(f"user-{i}") for i in range(20)]

    arms_found = asyncio.run(all_arms())
    assert set(arms_found) == {"a", "b"}
    versions = [version for _, version in levels["syntax"].calls]
    assert versions == [1 if found == "a" else 2 for found in arms_found]


def test_ensemble_follows_the_weighted_probabilities(route, levels):
    """0.3, 0.5 and 0.2 over three texts, against the sums worked out by hand."""
    texts = {"syntax": "a", "semantics": "b", "architecture": "c"}
    scores = {
        "syntax": {"a": 0.9, "b": 0.1, "c": 0.2},
        "semantics": {"a": 0.2, "b": 0.6, "c": 0.5},
        "architecture": {"a": 0.1, "b": 0.3, "c": 0.9},
    }
    for name, level in levels.items():
        level.text, level.scores = texts[name], scores[name]
    answer = route(ask(model="ensemble"))
    # a: .27 + .10 + .02 = .39 · b: .03 + .30 + .06 = .39 · c: .06 + .25 + .18 = .49
    assert (answer.level, answer.action) == ("architecture", "ensemble")
    assert answer.confidence == pytest.approx(0.49)
    assert answer.level_contributions == pytest.approx(
        {"syntax": 0.06 / 0.49, "semantics": 0.25 / 0.49, "architecture": 0.18 / 0.49}
    )
    assert answer.usage.completion_tokens == 3


def test_ensemble_drops_what_breaks_the_file(route, levels):
    levels["semantics"].text, levels["semantics"].probability = ")", 1.0
    answer = route(ask(model="ensemble"))
    assert answer.choices[0].completion.text == "pass"


def test_ensemble_goes_on_with_the_levels_that_are_there(route, levels):
    levels["syntax"].error = LevelUnavailable("gone")
    answer = route(ask(model="ensemble"))
    assert answer.level == "semantics"
    assert answer.level_contributions == pytest.approx(
        {"syntax": 0.0, "semantics": 5 / 7, "architecture": 2 / 7}
    )


def test_a_weight_of_zero_leaves_a_level_out(route, levels):
    answer = route(ask(model="ensemble"), ensemble_weights={"architecture": 0.0})
    assert not levels["architecture"].calls
    assert set(answer.versions) == {"syntax", "semantics"}
    # 0.3 and 0.5 share the whole
    assert answer.level_contributions == pytest.approx(
        {"syntax": 3 / 8, "semantics": 5 / 8, "architecture": 0.0}
    )


def test_where_every_weight_is_zero_all_levels_count_the_same(route):
    weights = dict.fromkeys(("syntax", "semantics", "architecture"), 0.0)
    answer = route(ask(model="ensemble"), ensemble_weights=weights)
    assert list(answer.level_contributions.values()) == pytest.approx([1 / 3] * 3)


def test_ensemble_gives_as_many_choices_as_asked_for(route):
    assert len(route(ask(model="ensemble", n=4)).choices) == 4


def test_scripted_levels_are_level_clients():
    from nested_ray.routing import LevelClient

    client: LevelClient = ScriptedLevel()
    assert client
