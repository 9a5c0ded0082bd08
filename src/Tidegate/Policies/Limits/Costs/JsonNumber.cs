namespace Tidegate.Policies.Limits.Costs;

/// <summary>A number of JSON (RFC 8259 6), of any length, while it passes: what counts of it are its first digits and how large they are.</summary>
internal struct JsonNumber
{
    // What a decimal holds for certain, of digits and of places behind the point.
    private const int MaxDigits = 28;

    private const decimal Smallest = 0.0000000000000000000000000001m;

    // Beyond any double; sums of it and of a content's length are safe.
    private const long MaxExponent = 1_000_000_000;

    private const int LargestPower = 308;

    private UInt128 _digits;
    private int _kept;
    private long _scale;
    private long _exponent;
    private bool _isNegative;
    private bool _isExponentNegative;
    private Part _part;

    private enum Part : byte
    {
        Nothing,
        Minus,
        Whole,
        Point,
        Fraction,
        ExponentSign,
        ExponentFirst,
        Exponent,
        Wrong,
    }

    public readonly bool HasBegun => _part != Part.Nothing;

    /// <summary>Whether a byte can be a part of one.</summary>
    public static bool IsPart(byte octet) => octet is >= (byte)'0' and <= (byte)'9' or (byte)'.' or (byte)'-' or (byte)'+' or (byte)'e' or (byte)'E';

    /// <summary>Its next byte.</summary>
    public void Read(byte octet) => _part = octet switch
    {
        >= (byte)'0' and <= (byte)'9' => Digit(octet - (byte)'0'),
        (byte)'.' when _part == Part.Whole => Part.Point,
        (byte)'-' when _part == Part.Nothing => Negative(ref _isNegative, Part.Minus),
        (byte)'-' when _part == Part.ExponentSign => Negative(ref _isExponentNegative, Part.ExponentFirst),
        (byte)'+' when _part == Part.ExponentSign => Part.ExponentFirst,
        (byte)'e' or (byte)'E' when _part is Part.Whole or Part.Fraction => Part.ExponentSign,
        _ => Part.Wrong,
    };

    /// <summary>What it is; false when it is none, as far as it has come.</summary>
    /// <param name="most">What is larger is this.</param>
    /// <param name="value">Exact, but for digits that are too many.</param>
    public readonly bool TryGet(decimal most, out decimal value)
    {
        var power = _scale + (_isExponentNegative ? -_exponent : _exponent);
        value = _digits == 0 ? 0 : power < 0 ? Math.Min(most, Fraction(-power)) : Whole(power, most);
        value = _isNegative ? -value : value;
        return _part is Part.Whole or Part.Fraction or Part.Exponent;
    }

    private readonly decimal Whole(long power, decimal most)
    {
        if (power > MaxDigits || (double)_digits * Math.Pow(10, power) >= (double)most)
        {
            return most;
        }

        var value = (decimal)_digits;
        for (var i = 0; i < power; i++)
        {
            value *= 10;
        }

        return value;
    }

    private readonly decimal Fraction(long places)
    {
        if (places <= MaxDigits)
        {
            return new decimal((int)(uint)_digits, (int)(uint)(_digits >> 32), (int)(uint)(_digits >> 64), isNegative: false, (byte)places);
        }

        // Smaller than can be written, and yet not nothing; in two steps, for what is smaller than the smallest divisor's inverse.
        var first = Math.Min(places, LargestPower);
        var value = (double)_digits / Math.Pow(10, first) / Math.Pow(10, Math.Min(places - first, LargestPower));
        return value > 0 ? Math.Max(Smallest, (decimal)value) : 0;
    }

    private static Part Negative(ref bool isNegative, Part next)
    {
        isNegative = true;
        return next;
    }

    private Part Digit(int digit)
    {
        switch (_part)
        {
            case Part.Nothing or Part.Minus or Part.Whole:
                _scale += Keep(digit) ? 0 : 1;
                return Part.Whole;
            case Part.Point or Part.Fraction:
                _scale -= Keep(digit) ? 1 : 0;
                return Part.Fraction;
            case Part.ExponentSign or Part.ExponentFirst or Part.Exponent:
                _exponent = Math.Min(MaxExponent, (_exponent * 10) + digit);
                return Part.Exponent;
            default:
                return Part.Wrong;
        }
    }

    /// <summary>Takes a digit; false when there are enough, and it only says how large the others are.</summary>
    private bool Keep(int digit)
    {
        if (_kept == MaxDigits)
        {
            return false;
        }

        _digits = (_digits * 10) + (UInt128)(uint)digit;
        _kept += _digits == 0 ? 0 : 1;
        return true;
    }
}
