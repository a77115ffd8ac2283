"""What a prompt asks the simulator to draw, found by single English words and the Chinese words for the same.

A prompt is not understood: the first word of each table that occurs in it decides. Used by `scene.py` and `edit.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

SUBJECTS: Mapping[str, str] = {
    "lighthouse": "lighthouse|灯塔",
    "boat": "boat|ship|sail|船",
    "tram": "tram|train|bus|电车",
    "car": "car|taxi|truck|汽车",
    "cat": "cat|kitten|猫",
    "fox": "fox|dog|wolf|puppy|狗|狐狸",
    "bird": "bird|parrot|owl|鸟",
    "bottle": "bottle|perfume|product|lotion|serum|bottles|香水|瓶|产品",
    "cup": "cup|mug|coffee|tea|杯|咖啡",
    "armchair": "armchair|chair|sofa|椅|沙发",
    "banana": "banana|bananas|香蕉",
    "flower": "flower|flowers|rose|tulip|sunflower|花",
    "balloon": "balloon|balloons|气球",
    "sphere": "sphere|ball|orb|marble|球",
    "robot": "robot|android|机器人",
    "person": "person|woman|man|girl|boy|portrait|character|explorer|astronaut|knight|人物|女孩|男孩|角色|肖像",
    "house": "house|cabin|cottage|hut|barn|房子|小屋",
    "tree": "tree|oak|pine|树",
}
PLACES: Mapping[str, str] = {
    "studio": "studio|white background|plain background|grey background|product photo|影棚|白色背景|白底",
    "city": "city|street|tram|town|skyline|car|taxi|城市|街",
    "water": "sea|lake|river|ocean|harbour|harbor|beach|coast|island|boat|ship|lighthouse|海|湖|船|灯塔",
    "room": "room|table|kitchen|interior|cafe|desk|window|房间|桌",
    "forest": "forest|wood|woods|garden|park|森林|花园",
    "desert": "desert|dune|dunes|sand|沙漠",
    "hills": "mountain|mountains|hill|hills|valley|meadow|field|rock|rocks|山|草地",
}
# Of several lights the first in this table counts: a rainy night is a night.
LIGHTS: Mapping[str, str] = {
    "night": "night|midnight|moon|moonlight|stars|neon|夜",
    "dusk": "dusk|sunset|sunrise|dawn|golden|evening|twilight|黄昏|日落|日出|清晨",
    "day": "day|sunny|noon|summer|bright|morning|snow|snowy|winter|白天|晴|雪|冬",
    "grey": "rain|rainy|storm|fog|foggy|mist|overcast|cloudy|雨|雾|暴风",
}
WEATHERS: Mapping[str, str] = {
    "rain": "rain|rainy|storm|雨|暴风",
    "snow": "snow|snowy|winter|雪|冬",
    "fog": "fog|foggy|mist|misty|雾",
}
STYLES: Mapping[str, str] = {
    "pencil": "pencil|sketch|charcoal|drawing|line art|铅笔|素描",
    "watercolour": "watercolour|watercolor|水彩",
    "oil": "oil|painting|impressionist|油画",
    "paper": "paper cut|cut-outs|cut-out|collage|origami|剪纸",
    "comic": "comic|cartoon|anime|manga|poster|pop art|漫画|动漫",
    "grey": "black and white|monochrome|black-and-white|黑白",
    "sepia": "sepia|vintage|复古",
}
SHEETS: Mapping[str, str] = {
    "turnaround": "turnaround|character sheet|front, side|三视图|设定图",
    "contact": "contact sheet|grid of|2x2|2 x 2|four views|four variations|宫格",
}
ADDING = re.compile(r"\b(add|put|place|insert|give|wear|wearing|hold|holding|replace|turn)\b|加|放|添")
UPSCALING = re.compile(r"\b(upscale|enhance|sharpen|restore|4k|higher resolution)\b|放大|高清")
STYLE_PICTURE = re.compile(r"\b(?:style|colours|colors|look) of picture (\d+)|图\s?(\d+)\s?的?风格")


@dataclass(frozen=True)
class PromptWords:
    """What the words of a prompt name; an empty string where they name nothing."""

    subject: str
    place: str
    light: str
    weather: str
    style: str
    sheet: str
    adds: bool
    """It asks to put something in."""
    upscales: bool
    """It asks for nothing but more detail."""
    style_picture: int
    """The number, from 1, of the reference whose colours are asked for; 0 for none."""


def read(prompt: str) -> PromptWords:
    """What the words of a prompt name."""
    text = prompt.lower()
    style_of = STYLE_PICTURE.search(text)
    return PromptWords(
        subject=first(SUBJECTS, text),
        place=first(PLACES, text),
        light=next((name for name, words in LIGHTS.items() if _pattern(words).search(text)), ""),
        weather=first(WEATHERS, text),
        style=first(STYLES, text),
        sheet=first(SHEETS, text),
        adds=ADDING.search(text) is not None,
        upscales=UPSCALING.search(text) is not None,
        style_picture=int(style_of[1] or style_of[2]) if style_of else 0,
    )


def first(table: Mapping[str, str], text: str) -> str:
    """The entry of a table one of whose words stands earliest in the text; of those, the first of the table."""
    found = {name: match.start() for name, words in table.items() if (match := _pattern(words).search(text))}
    return min(found, key=lambda name: found[name], default="")


@cache
def _pattern(words: str) -> re.Pattern[str]:
    """Latin words as whole words; Chinese has no spaces between words."""
    return re.compile("|".join(rf"\b{word}\b" if word.isascii() else word for word in words.split("|")))
