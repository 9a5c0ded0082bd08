using System.Globalization;
using System.Text;

namespace Tidegate.Control.Admin;

/// <summary>Lines of CSV (RFC 4180). What a spreadsheet would take for a formula is text.</summary>
internal sealed class CsvText
{
    private readonly StringBuilder _text = new();
    private bool _isBegun;

    public int Length => _text.Length;

    public CsvText Add(string value)
    {
        Separate();
        var isFormula = value.Length > 0 && value[0] is '=' or '+' or '-' or '@' or '\t' or '\r';
        if (!isFormula && value.AsSpan().IndexOfAny(",\"\r\n") < 0)
        {
            _text.Append(value);
            return this;
        }

        _text.Append('"').Append(isFormula ? "'" : "").Append(value.Replace("\"", "\"\"", StringComparison.Ordinal)).Append('"');
        return this;
    }

    public CsvText Add(long value)
    {
        Separate();
        _text.Append(value.ToString(CultureInfo.InvariantCulture));
        return this;
    }

    public CsvText Add(decimal? value)
    {
        Separate();
        _text.Append(value?.ToString(CultureInfo.InvariantCulture));
        return this;
    }

    public CsvText Add(DateTimeOffset time)
    {
        Separate();
        _text.Append(time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture));
        return this;
    }

    public CsvText Add(TimeSpan duration)
    {
        Separate();
        _text.Append(Math.Round(duration.TotalMilliseconds, 4).ToString(CultureInfo.InvariantCulture));
        return this;
    }

    public void EndLine()
    {
        _text.Append("\r\n");
        _isBegun = false;
    }

    /// <summary>What is there, which is gone then.</summary>
    public byte[] Take()
    {
        var bytes = Encoding.UTF8.GetBytes(_text.ToString());
        _text.Clear();
        return bytes;
    }

    private void Separate()
    {
        if (_isBegun)
        {
            _text.Append(',');
        }

        _isBegun = true;
    }
}
