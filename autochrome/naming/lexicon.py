"""Words that the removal of color words knows: colors, what stands before them, and what keeps its color in its name.

Each list is one regular expression, lower case, without groups that capture; they are compiled ignoring case.
"""

COLOR = (
    r"(?:black|white|gr[ae]y|red|green|blue|yellow|orange|purple|violet|pink|brown|tan|beige|gold(?:en)?|silver|"
    r"blonde?|brunette|maroon|burgundy|crimson|scarlet|magenta|fuchsia|mauve|indigo|teal|turquoise|aqua|cyan|"
    r"khaki|auburn|tawny|(?:redd?|green|bl(?:u|ue)|yellow|orang|purpl|pink|brown|gr[ae]y|whit|black|gold|"
    r"silver)(?:e?ish|y(?=-))|redheaded|redhead)"
)
"""Words that are colors wherever they stand, but for the names in NAMES."""

AMBIGUOUS = (
    r"(?:cream|peach|salmon|coral|lime|mustard|amber|ruby|emerald|sapphire|jade|chestnut|charcoal|ivory|lavender|"
    r"rose|plum|olive|mint|chocolate|caramel|copper|bronze|rust|sand|ginger|navy|lilac|hazel|wine|ebony|honey|"
    r"mocha|rainbow|brindle)"
)
"""Things that are also colors: they count as colors before "colored", before TINTABLE, and before another color."""

TINTABLE = (
    r"(?:shirts?|t-shirts?|blouses?|sweaters?|sweatshirts?|hoodies?|tops?|dress(?:es)?|skirts?|shorts|pants|"
    r"trousers|jeans|jackets?|coats?|vests?|suits?|uniforms?|outfits?|gowns?|robes?|hats?|caps?|scarf|scarves|"
    r"ties?|socks?|shoes|boots|clothes|clothing|costumes?|gear|trunks|leotards?|bikinis?|jerseys?|tights|gloves?|"
    r"helmets?|backpacks?|couch(?:es)?|sofas?|curtains?|carpets?|rugs?|walls?|cars?|trucks?|vans?|dogs?|pupp(?:y|"
    r"ies)|cats?|horses?|labs?|labradors?|poodles?|hair|fur|eyes|feathers?)"
)
"""What takes a color rather than a material or a flavor."""

SHADE = (
    r"(?:light|dark|darker|lighter|bright|pale|deep|neon|hot|vivid|very|mostly|mainly|mixed|solid|all|off|jet|"
    r"coal|inky|pastel|fluorescent|royal|baby|sky|powder|electric|midnight|forest|hunter|kelly|burnt|blood|cherry|"
    r"brick|rusty|sandy|snow(?=-)|slate|steel|navy|lime|olive|mint|chocolate|emerald|rose|salmon|coral|peach|"
    r"cream|fire engine|dull|medium|(?:dirty|strawberry|platinum|ash|bleached)(?=[ -]blond)|salt and pepper|pure)"
)
"""What belongs to the color that follows and goes with it."""

PART = (
    r"(?:colou?red|tinted|hued|toned|haired|headed|eyed|skinned|clad|shirted|suited|uniformed|robed|dressed|"
    r"furred|coated|vested|jacketed|hair(?= (?:boy|girl|man|woman|men|women|child|kid|baby|lady|guy)))"
)
"""Second halves of adjectives that go with their color: "brown-haired", "red clad"."""

VIVID = (
    r"(?:colou?rful(?:ly)?|multi[- ]?colou?red|tri[- ]?colou?red|two[- ]colou?red|mono-colou?r|(?:brightly|bright|"
    r"gaily|richly|vividly|vibrantly|lightly|light|dark|lighter|darker|varied|various|many|multiple|muti|solid|pale|different|diferent|"
    r"differently|sandy|golden|flesh|earth|skin|same)[- ]colou?r?ed)"
)
"""Words that name no color but tell how colored a thing is."""

NAMES = (
    r"golden retrievers?|golden (?:gate|hour|age|eagles?)|(?:brown|black) bears?|red (?:pandas?|fox(?:es)?|"
    r"squirrels?|deer)|gr[ae]y (?:wolf|wolves|fox(?:es)?|squirrels?|whales?|herons?|seals?)|blue (?:jays?|whales?|"
    r"herons?|tits?)|great (?:white|blue|gr[ae]y)\b|white[- ]tailed deer|red[- ]tailed hawks?|black widows?|"
    r"brown trout|red snapper|(?:red|white) (?:wine|meat|onions?|cabbage|blood)|(?:black|green|white|red) tea|"
    r"black (?:coffee|pepper|beans?|olives?)|green (?:beans?|onions?|peas|olives?|algae)|brown (?:rice|sugar|"
    r"bread)|white (?:rice|sugar|bread|chocolate|noise|matter|dwarfs?)|gr[ae]y matter|red giants?|brown dwarfs?|"
    r"yellow fever|blue cheese|white[- ]water(?= raft| kayak| canoe| rapids|[.,]|$)|black (?:belts?|holes?|market|"
    r"tie|box|ice)|black-tie|green (?:cards?|screens?)|(?:blue|white)(?:-collar| collar workers?)|(?:gold|silver|"
    r"bronze) (?:medals?|medalists?|mines?|rush|bars?|coins?|leaf|foil|dust|nuggets?|atoms?|wire)|gold-plated|"
    r"navy (?:seals?|ships?|officers?|base|yard|vessels?)|redbull|red bull|red cross|white house(?= (?:lawn|"
    r"staff))|orange (?:juice|slices?|peels?|trees?|groves?|segments?|wedges?|soda|marmalade|blossoms?|rinds?)|"
    r"(?:putting|golf|village) green|(?<=on the )green(?=[.,]|$)"
)
"""Names of animals, foods, drinks and institutions that are other things without their color word: these stay."""

FUNCTION = (
    r"(?:and|or|but|in|on|with|without|is|are|was|were|be|been|being|am|at|by|from|to|for|of|off|that|as|while|"
    r"whilst|who|whom|whose|which|where|when|a|an|his|her|hers|their|its|it|he|she|they|near|nearby|next|over|"
    r"against|through|into|onto|outside|inside|outdoors|indoors|during|behind|before|after|beside|between|beneath|"
    r"below|above|under|underneath|among|amongst|amid|around|along|across|down|up|out|upon|past|towards?|atop|"
    r"because|so|then|than|this|these|those|if|has|have|had|can|will|may|just|also|alone|together|away|not|about|"
    r"the|like|only|both|versus|except|aboard|nearly|all|underwater|sideways|intently|outstretched)"
)
"""Words that cannot be a noun with an adjective before it: a color before them stands alone."""

VERB = (
    r"(?:attempts?|balances?|begins?|bends?|bites?|blows?|bounces?|carr(?:y|ies)|catch(?:es)?|celebrates?|chases?|"
    r"chews?|climbs?|comes?|cross(?:es)?|crouches|crouched|dances?|digs?|dives?|does|do|drinks?|drives|eats?|"
    r"enjoys?|examines?|falls|fights?|fl(?:y|ies)|follows?|gathers?|gets?|gives?|goes|grabs?|hangs?|helps?|hits|"
    r"holds?|hugs?|hurdles|jogs|jumped|jumps?|kicks|kisses|kneels?|laughs?|lays?|leads|leans?|leaps?|lies|lifts|"
    r"looks?|makes?|moves?|opens|paddles?(?! ?boat)|paints|passes|performs?|pets|picks|play|played|plays|points|"
    r"poses?|prepares?|pulls?|pushes|puts?|raises?|ran|reach(?:es)?|reads?|rests|rides?|rolls|rows|runs?|sat|"
    r"shakes?|shares?|shoots|shows?|sings?|sits?|skateboards|skates|skis|sleeps?|slides|smiles?|smokes?|speaks?|"
    r"splashes|stands?|stares?|steps|stretches|surfs|swims|swings|tackles|takes?|talks?|teaches|throws?|touches|"
    r"tosses|tries|try|turns|untangles|uses|waits?|walks?|watch(?:es)?|waves|wears?|works?|wrestles?|writes|"
    r"keeps?|grins|crawls|clings|speeds|gallops|grinds|twists|twirls|battles|cheer|directs|winks|exercises|"
    r"attacks|blocks|collides|flees|toss|sees?|defends?|jog|hikes|squats|splashes|wades|races|surrounds?|kick|"
    r"embraces?|marches|receives|appears?|stops|tags|serves|competes?|checks|wins|sprints?|dribbles)"
)
"""Verbs of captions: after "in red" or "wearing red" they show that no noun follows."""

NOUN_ING = (
    r"(?:build|color|cloth|writ|str|r|sw|ceil|letter|rail|awn|w|earr|th|duckl|frost|ic|sid|lin|pip|nett|padd|bedd|"
    r"panel|mark|sl|spr|cover|trimm|outl|markings|carpet|backpack|k|morn|even|even|stock|legg|bath|wedd|box|"
    r"evergreen)ing"
)
"""Nouns (and halves of nouns, as in "bathing suit") in -ing; other words in -ing are taken for verbs."""

PERSON = (
    r"(?:m[ae]n|wom[ae]n|boys?|girls?|child|children|kids?|guys?|lad(?:y|ies)|persons?|people|players?|runners?|"
    r"skiers?|riders?|bab(?:y|ies)|toddlers?|someone|teams?|dogs?|snowboarders?|athletes?|footballers?|males?|"
    r"females?|soldiers?|workers?|priests?|gentleman|teenagers?|adults?|cheerleaders?|dancers?|climbers?|"
    r"cyclists?|others?|one|officers?)"
)
"""Who wears clothes."""

NUMBER = r"(?:one|two|three|four|five|six|seven|some|several|many|another|the others?|others?)"

ADJECTIVE = (
    r"(?:big|small|large|little|tiny|huge|tall|long|short|old|young|new|fluffy|furry|shaggy|muscular|striped|"
    r"spotted|curvy|pretty|beautiful|shiny|soft|hairy|skinny|fat|thin|wet|dirty|curly|long-haired|short-haired|"
    r"other)"
)
