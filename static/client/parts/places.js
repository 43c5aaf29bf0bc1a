/** The names of languages, countries and time zones, by their codes. */

const LANGUAGES = "ar bg bn cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv nl no pl " +
  "pt ro ru sk sl sr sv th tr uk ur vi zh";
const COUNTRIES = "AD AE AF AG AL AM AO AR AT AU AZ BA BB BD BE BF BG BH BI BJ BN BO BR BS BT BW " +
  "BY BZ CA CD CF CG CH CI CL CM CN CO CR CU CV CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ " +
  "FM FR GA GB GD GE GH GM GN GQ GR GT GW GY HK HN HR HT HU ID IE IL IN IQ IR IS IT JM JO JP KE " +
  "KG KH KI KM KN KP KR KW KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MH MK ML MM MN MR " +
  "MT MU MV MW MX MY MZ NA NE NG NI NL NO NP NR NZ OM PA PE PG PH PK PL PS PT PW PY QA RO RS RU " +
  "RW SA SB SC SD SE SG SI SK SL SM SN SO SR SS ST SV SY SZ TD TG TH TJ TL TM TN TO TR TT TV TW " +
  "TZ UA UG US UY UZ VA VC VE VN VU WS XK YE ZA ZM ZW";

const languages = new Intl.DisplayNames(undefined, { type: "language" });
const countries = new Intl.DisplayNames(undefined, { type: "region" });

/** @param {string} code */
export const languageName = (code) => languages.of(code) ?? code;
/** @param {string} code */
export const countryName = (code) => countries.of(code) ?? code;

/**
 * @param {string} codes
 * @param {(code: string) => string} name
 * @returns {[string, string][]} by name
 */
const named = (codes, name) =>
  codes.split(" ").map((code) => /** @type {[string, string]} */ ([code, name(code)]))
    .sort((a, b) => a[1].localeCompare(b[1]));

export const languageOptions = () => named(LANGUAGES, languageName);
export const countryOptions = () => named(COUNTRIES, countryName);
/** @returns {[string, string][]} */
export const zoneOptions = () =>
  ["UTC", ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC")]
    .map((name) => [name, name.replaceAll("_", " ")]);
