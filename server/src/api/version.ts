/** This version of Pointback, as records carry it. A test holds it against package.json. */
export const pointbackVersion = '0.1.0';
