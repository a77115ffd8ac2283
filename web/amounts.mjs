/** How amounts of money are written: the one rule of the page, as `core/errors/amounts.py` has it for the messages of the server. */

const LEAST = 0.0001;

/**
 * US dollars without their sign: 12.30, 0.134, 0.0336. Cents from a dollar on; of less the first three digits that count, at most
 * the fourth decimal. Never fewer than two decimals, and what is something is never written as nothing.
 * @param {number} usd
 */
export function usdDigits(usd) {
  if (usd > 0 && usd < LEAST) return String(LEAST);
  const decimals = usd >= 1 ? 2 : usd >= 0.1 ? 3 : 4;
  return usd.toFixed(decimals).replace(/(\.\d\d\d*?)0+$/, "$1");
}
