// Text as a JSON string. Answers of small actors are JSON put together by hand; this keeps what is put in from breaking it.

const hexDigits = '0123456789abcdef';

/** The text in quotes, with everything escaped that JSON wants escaped: `say "hi"` becomes `"say \"hi\""`. */
export function quote(text: string): string {
  let quoted = '"';
  let kept = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 32 && code !== 34 && code !== 92) continue;
    quoted += text.substring(kept, index) + escape(code);
    kept = index + 1;
  }
  return quoted + text.substring(kept) + '"';
}

function escape(code: i32): string {
  if (code === 34) return '\\"';
  if (code === 92) return '\\\\';
  if (code === 10) return '\\n';
  if (code === 13) return '\\r';
  if (code === 9) return '\\t';
  return '\\u00' + hexDigits.charAt(code >> 4) + hexDigits.charAt(code & 15);
}
