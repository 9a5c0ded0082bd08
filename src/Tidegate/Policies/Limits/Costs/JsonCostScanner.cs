using System.Buffers;
using System.Buffers.Text;

namespace Tidegate.Policies.Limits.Costs;

/// <summary>
/// Looks for one number in JSON that passes by, in pieces of any size, and remembers nothing but where it is: content of any length takes no memory. It does not judge what it
/// reads; of what is no JSON it finds nothing, or a number that stands where it looks. The last one that it finds counts.
/// </summary>
internal sealed class JsonCostScanner(JsonPointer pointer)
{
    /// <summary>Absurd costs are capped where sums stay safe.</summary>
    public const long MaxCost = 1L << 40;

    // One bit for each level says whether it is an object. Nobody nests deeper; what does is given up.
    private const int MaxDepth = 64;

    private const int MaxNumberBytes = 32;

    private static readonly SearchValues<byte> EndsOfString = SearchValues.Create("\"\\"u8);

    private readonly byte[] _number = new byte[MaxNumberBytes];
    private readonly int[] _places = new int[JsonPointer.MaxSegments + 1];
    private ulong _objects;
    private int _depth;
    private int _trail;
    private int _named;
    private int _digits;
    private bool _inString;
    private bool _isEscaped;
    private bool _isName;
    private bool _expectsName;
    private bool _isMatch;
    private bool _isAhead;

    /// <summary>What was found last; -1 for nothing.</summary>
    public long Cost { get; private set; } = -1;

    /// <summary>The same, to the digit; -1 for nothing.</summary>
    public decimal Amount { get; private set; } = -1;

    /// <summary>The content is nested too deeply to be followed.</summary>
    public bool IsBeyond { get; private set; }

    /// <summary>Another document begins; what was found stays.</summary>
    public void Restart()
    {
        _depth = _trail = _digits = 0;
        _inString = _isEscaped = _isName = _expectsName = _isMatch = _isAhead = false;
    }

    /// <summary>Looks through the next piece.</summary>
    public void Read(ReadOnlySpan<byte> piece)
    {
        for (var i = 0; i < piece.Length && !IsBeyond; i++)
        {
            if (!_inString)
            {
                Structure(piece[i]);
            }
            else if (_isName || _isEscaped)
            {
                InString(piece[i]);
            }
            else
            {
                // Long texts pass by at the speed of memory.
                var end = piece[i..].IndexOfAny(EndsOfString);
                if (end < 0)
                {
                    return;
                }

                i += end;
                InString(piece[i]);
            }
        }
    }

    /// <summary>Nothing comes any more.</summary>
    public void End() => EndNumber();

    private void InString(byte octet)
    {
        if (_isEscaped)
        {
            _isEscaped = false;
            return;
        }

        switch (octet)
        {
            case (byte)'\\':
                // A name with escapes is none that anybody points at.
                _isEscaped = true;
                _isMatch &= !_isName;
                return;
            case (byte)'"':
                _inString = false;
                if (_isName)
                {
                    _isMatch &= _named == pointer.Names[_depth - 1].Length;
                    _isName = false;
                }

                return;
            default:
                if (_isMatch && _isName)
                {
                    var name = pointer.Names[_depth - 1];
                    _isMatch = _named < name.Length && name[_named++] == octet;
                }

                return;
        }
    }

    private void Structure(byte octet)
    {
        switch (octet)
        {
            case (byte)'{' or (byte)'[':
                Open(octet == (byte)'{');
                return;
            case (byte)'}' or (byte)']':
                EndNumber();
                _depth = Math.Max(0, _depth - 1);
                _trail = Math.Min(_trail, _depth);
                _isMatch = _expectsName = false;
                return;
            case (byte)',':
                EndNumber();
                Next();
                return;
            case (byte)'"':
                _inString = true;
                _isName = _expectsName && IsOnTrail;
                _isMatch &= !_expectsName;
                if (_isName)
                {
                    _isMatch = true;
                    _named = 0;
                }

                // A text where the number should stand is none.
                _isAhead = false;
                _expectsName = false;
                return;
            case (byte)':':
                _isAhead = _isMatch && _depth == pointer.Names.Length;
                return;
            case (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n':
                EndNumber();
                return;
            default:
                if (_isAhead && (octet is >= (byte)'0' and <= (byte)'9' or (byte)'.' or (byte)'-' or (byte)'+' or (byte)'e' or (byte)'E'))
                {
                    // What is too long for a number is remembered as too long.
                    _number[Math.Min(_digits, MaxNumberBytes - 1)] = octet;
                    _digits++;
                }
                else
                {
                    _isAhead = false;
                }

                return;
        }
    }

    private bool IsOnTrail => _depth == _trail && _depth > 0 && _depth <= pointer.Names.Length;

    private void Open(bool isObject)
    {
        if (_depth == MaxDepth)
        {
            IsBeyond = true;
            return;
        }

        // The whole document is on the way, and of what is in it the value of a name that fits.
        var isOnTheWay = _depth == 0 || (_depth == _trail && _isMatch && _depth < pointer.Names.Length);
        _depth++;
        _objects = isObject ? _objects | (1UL << (_depth - 1)) : _objects & ~(1UL << (_depth - 1));
        _trail = isOnTheWay ? _depth : _trail;
        _expectsName = isObject;
        _isMatch = _isAhead = false;
        if (!isObject && IsOnTrail)
        {
            _places[_depth] = -1;
            Next();
        }
    }

    /// <summary>The next member of an object, or element of a list.</summary>
    private void Next()
    {
        _isMatch = _isAhead = false;
        _expectsName = _depth > 0 && (_objects & (1UL << (_depth - 1))) != 0;
        if (!_expectsName && IsOnTrail)
        {
            _isMatch = ++_places[_depth] == pointer.Indexes[_depth - 1];
            _isAhead = _isMatch && _depth == pointer.Names.Length;
        }
    }

    private void EndNumber()
    {
        if (_digits > 0)
        {
            if (_digits <= MaxNumberBytes && Utf8Parser.TryParse(_number.AsSpan(0, _digits), out double number, out var read) && read == _digits && number >= 0)
            {
                // Part of a point is a point.
                Cost = (long)Math.Ceiling(Math.Min(number, MaxCost));
                Amount = number < MaxCost && Utf8Parser.TryParse(_number.AsSpan(0, _digits), out decimal exact, out _) ? exact : Cost;
            }

            _digits = 0;
            _isAhead = false;
        }
    }
}
