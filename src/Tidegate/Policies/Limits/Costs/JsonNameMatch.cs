using System.Text;

namespace Tidegate.Policies.Limits.Costs;

/// <summary>Compares the name of a member, while it passes, with the one that is looked for. Escapes are the letters that they stand for (RFC 8259 7, 8.3), as for whoever reads it next.</summary>
internal struct JsonNameMatch
{
    private const int HexDigits = 4;

    private byte[] _name;
    private int _position;
    private int _digitsLeft;
    private int _unit;
    private char _high;
    private bool _isEscape;
    private bool _differs;

    /// <summary>The name was, to its end, the one that is looked for.</summary>
    public readonly bool IsSame => !_differs && _high == 0 && _digitsLeft == 0 && _position == _name.Length;

    /// <summary>A name begins.</summary>
    public void Begin(byte[] name)
    {
        this = default;
        _name = name;
    }

    /// <summary>Its next byte; true when that is its end.</summary>
    public bool Read(byte octet)
    {
        if (_isEscape)
        {
            _isEscape = false;
            Escape(octet);
        }
        else if (octet == (byte)'"')
        {
            return true;
        }
        else if (_digitsLeft > 0)
        {
            Digit(octet);
        }
        else if (octet == (byte)'\\')
        {
            _isEscape = true;
        }
        else
        {
            Add(octet);
        }

        return false;
    }

    private void Escape(byte octet)
    {
        switch (octet)
        {
            case (byte)'"' or (byte)'\\' or (byte)'/':
                Add(octet);
                return;
            case (byte)'b':
                Add((byte)'\b');
                return;
            case (byte)'f':
                Add((byte)'\f');
                return;
            case (byte)'n':
                Add((byte)'\n');
                return;
            case (byte)'r':
                Add((byte)'\r');
                return;
            case (byte)'t':
                Add((byte)'\t');
                return;
            case (byte)'u':
                (_digitsLeft, _unit) = (HexDigits, 0);
                return;
            default:
                _differs = true;
                return;
        }
    }

    private void Digit(byte octet)
    {
        _differs |= !char.IsAsciiHexDigit((char)octet);
        _unit = (_unit << 4) | (octet <= (byte)'9' ? octet & 0xF : (octet & 0xF) + 9);
        if (--_digitsLeft == 0)
        {
            Unit((char)_unit);
        }
    }

    private void Unit(char unit)
    {
        if (char.IsHighSurrogate(unit))
        {
            _differs |= _high != 0;
            _high = unit;
        }
        else if (char.IsLowSurrogate(unit))
        {
            var high = _high;
            _high = default;
            _differs |= high == 0;
            Add(high == 0 ? Rune.ReplacementChar : new Rune(high, unit));
        }
        else
        {
            Add(new Rune(unit));
        }
    }

    private void Add(Rune letter)
    {
        Span<byte> bytes = stackalloc byte[HexDigits];
        foreach (var octet in bytes[..letter.EncodeToUtf8(bytes)])
        {
            Add(octet);
        }
    }

    private void Add(byte octet)
    {
        _differs |= _high != 0 || _position == _name.Length || _name[_position] != octet;
        _position += _differs ? 0 : 1;
    }
}
