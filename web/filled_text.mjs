/** Values in the `{gaps}` of a text. */

/** Chinese characters and their punctuation. */
const CHINESE = /[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]/;
/** Where a sentence goes on, or has its own full stop. */
const GOES_ON = /。(?=[）；，。])/g;

/**
 * A text with its `{names}` replaced. A Chinese text has a space on either side of a value, which sets a Latin name apart; beside
 * a Chinese value it is left out.
 * @param {string} text
 * @param {(name: string) => string | undefined} valueOf Undefined leaves the gap as it is.
 */
export const filledText = (text, valueOf) =>
  text.replace(/( ?)\{(\w+)\}( ?)/g, (whole, before, name, after, at) => {
    const value = valueOf(name);
    if (value === undefined) return whole;
    const first = isChinese(text[at - 1]) && isChinese(value[0]) ? "" : before;
    const last = isChinese(text[at + whole.length]) && isChinese(value.at(-1)) ? "" : after;
    return `${first}${value}${last}`;
  });

/** A text without a Chinese full stop before other punctuation, where a sentence became a part of another. @param {string} text */
export const withoutInnerStops = (text) => text.replace(GOES_ON, "");

/** @param {string | undefined} character */
const isChinese = (character) => character !== undefined && CHINESE.test(character);
