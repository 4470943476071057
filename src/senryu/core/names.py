"""Generated names: two words and a number, as Heroku's `create` gives them, in senryū's own words."""

from __future__ import annotations

_FIRST = (
    "amber autumn blue bold brave bright calm candid cedar clear cold cool copper coral crisp curious damp dawn deep dry dusty early"
    " easy eager evening fair falling fern fond fresh frosty gentle glad golden grand green happy hidden honest humble icy jolly keen"
    " kind late lively lucky merry mild misty modest morning mossy mellow nimble noble pale patient plain polite proud quick quiet rapid"
    " red rough rustic salty shy silent silver simple sleepy small smooth snowy soft solid spring still summer sunny swift tender tidy"
    " warm wandering white wild windy winter wise witty"
).split()
_SECOND = (
    "badger bamboo bell birch bird bough bridge brook bush canal carp cat cherry cicada cliff cloud clover crane creek cricket dew"
    " dove dragonfly dusk falls feather field finch firefly fish flower fog forest fox frog garden gate glade grass grove gull harbor"
    " hare haze heron hill ink island kettle kite lake lamp lantern leaf lily lotus maple meadow moon moss moth mountain mouse oak"
    " otter owl path peach pebble petal pine plum pond poppy rain raven reed ridge river robin sail sea shadow shore sky smoke snail"
    " snow sparrow star stone stream sunset swallow tea temple thicket thunder tide tortoise tree turtle umbrella valley verse village"
    " violet water wave willow wind wood wren"
).split()


def two_words(roll: int) -> str:
    """A name such as `quiet-heron-48213`.

    Takes: `roll`, any non-negative random number below 2**64; the same roll gives the same name.
    """
    first = _FIRST[roll % len(_FIRST)]
    roll //= len(_FIRST)
    second = _SECOND[roll % len(_SECOND)]
    roll //= len(_SECOND)
    return f"{first}-{second}-{10000 + roll % 90000}"
