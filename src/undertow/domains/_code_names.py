"""Names that code may use without being asked for them: what the language gives, and words that say nothing.

Lists and no rules. Words of any topic (animals, plants, people, places) have no place here, and neither have builtins
that run, read or write anything.
"""

from __future__ import annotations

from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# fmt: off
BUILTINS: Final = _names("""
    abs all any ascii bin bool bytes callable chr complex dict divmod enumerate filter float format frozenset hash hex
    int isinstance issubclass iter len list map max min next object oct ord pow print range repr reversed round set
    slice sorted str sum super tuple type zip
    ArithmeticError AssertionError AttributeError Exception IndexError KeyError LookupError NotImplementedError
    OverflowError RuntimeError StopIteration TypeError ValueError ZeroDivisionError
""")

MEMBERS: Final = _names("""
    append as_integer_ratio bit_count bit_length capitalize casefold center clear conjugate copy count decode
    denominator difference difference_update discard encode endswith expandtabs extend find format_map fromkeys get
    hex imag index insert intersection intersection_update is_integer isalnum isalpha isascii isdecimal isdigit
    isdisjoint isidentifier islower isnumeric isprintable isspace issubset issuperset istitle isupper items join keys
    ljust lower lstrip maketrans numerator partition pop popitem real remove removeprefix removesuffix replace reverse
    rfind rindex rjust rpartition rsplit rstrip setdefault sort split splitlines startswith strip swapcase
    symmetric_difference title translate union update upper values zfill
""")

MODULES: Final = _names("""
    bisect collections functools heapq itertools math operator re statistics string typing
""")

MODULE_MEMBERS: Final = _names("""
    ceil comb dist factorial floor fmod fsum gcd hypot inf isclose isfinite isinf isnan isqrt lcm log log10 log2 modf
    nan perm pi prod sqrt trunc
    accumulate chain combinations compress cycle dropwhile filterfalse from_iterable groupby islice pairwise
    permutations product repeat starmap takewhile tee zip_longest
    cache cmp_to_key lru_cache maxsize partial reduce
    ChainMap Counter OrderedDict defaultdict deque namedtuple appendleft elements extendleft most_common move_to_end
    popleft rotate subtract total
    fmean mean median median_high median_low mode multimode pstdev pvariance stdev variance
    ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits punctuation whitespace
    add attrgetter concat contains eq ge getitem gt itemgetter le lt methodcaller mod mul ne neg not_ sub truediv xor
    heapify heappop heappush heappushpop nlargest nsmallest bisect_left bisect_right insort
    findall finditer fullmatch group groups match search IGNORECASE
    Any Callable Dict Iterable Iterator List Mapping Optional Sequence Set Tuple Union
    key reverse default sep end start initial fillvalue
""")

GENERIC: Final = _names("""
    a above absolute after all alphabet alphabetical amount and answer anagram any apply are area arg args arr array
    ascending at average balance base before below between binary bit bits bool bottom bound bucket buckets by
    calculate calculated capital capitalize case ceiling cell cells change char character chars check chunk chunks
    clamp clean cleaned clip close closest code codes col collapse column columns cols combine combined common compact
    compare compress compute concat condition consecutive consonant contain contains convert copy count counter counts
    cube cumulative curr current cut cycle data decimal decode decrease deduplicate default delete delta depth desc
    descending dict dictionary diff difference digit digital digits distance distinct divide divisible divisor double
    drop dup duplicate each element elements empty encode end ends entries entry equal error even every expand exponent
    extra extract factor factorial factors fib fibonacci fill filter filtered final find first fizz flag flat flatten
    flattened floor fold for format found four frequency freq from func function gap gcd generate get given greater
    greatest grid group grouped groups grow half harmonic has height hex high highest histogram hour hours if in
    increase increment index indexes indices init initial initials inner input insert int integer integers interleave
    intersect intersection interval inverse invert inverted is isolate item items iter join joined keep kept key keys
    kwargs large larger largest last lcm least left len length less letter letters limit line lines list lists local
    long longest loop low lower lowercase lowest lst made make many map mapped mapping mask matrix max maximum mean
    median merge merged mid middle min minimum minute minutes missing mode modulo more most move moving multiple
    multiples multiplied multiply name names negative nested new next no non none normalize not nth num number numbers
    nums obj object odd of offset old on one only op or ord order ordered original other outer output over pad padded
    pair pairs palindrome parse part partial parts pattern per percent perfect period pick piece pieces place point
    points pop pos position positions positive pow power pref prefix prev previous prime primes prod product proper
    push quotient range rank ratio raw read rec rem remain remainder remaining remove removed repeat repeated replace
    replaced res rest result results ret return rev reverse reversed right rotate rotated round rounded row rows run
    running runs same scale score scores second seconds seen segment select self sep separator seq sequence set shift
    shifted short shortest sign simple single size skip slice small smaller smallest sort sorted source space
    spaces span split square squared squares start starts step steps str string strings strip sub subset substring
    suffix sum sums swap swapped symbol symbols table tail take target temp term terms text texts third three threshold
    time times title tmp to top total totals transform transpose transposed triangle trim triple true tuple two type
    under union unique unit until up update upper uppercase val valid vals value values var vector vowel vowels weight
    whole width window with within without word words wrap zero zeros zip
""")
# fmt: on
