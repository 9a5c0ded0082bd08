using System.Buffers;

namespace Tidegate.Policies.Limits.Costs;

/// <summary>
/// Looks for one number in JSON that passes by, in pieces of any size, and remembers nothing but where it is: content of any length and depth takes no memory. It does not judge
/// what it reads; of what is no JSON it finds nothing, or a number that stands where it looks.
/// <para>
/// Which of several members with one name counts, parsers do not agree on (RFC 8259 4). Here it is the largest, so that no order of them is cheaper than what somebody reads; and
/// nothing when the last of them has no number.
/// </para>
/// </summary>
internal sealed class JsonCostScanner(JsonPointer pointer)
{
    /// <summary>Absurd costs are capped where sums stay safe.</summary>
    public const long MaxCost = 1L << 40;

    // One bit for each level says whether it is an object. What is looked for is never deeper than a quarter of that, so for what is deeper it does not matter.
    private const int ToldLevels = 64;

    private static readonly SearchValues<byte> EndsOfString = SearchValues.Create("\"\\"u8);

    private readonly int[] _places = new int[JsonPointer.MaxSegments + 1];
    private ulong _objects;
    private long _depth;
    private long _trail;
    private JsonNameMatch _name;
    private JsonNumber _number;
    private decimal _before = -1;
    private decimal _largest = -1;
    private bool _isOpen;
    private bool _inString;
    private bool _isEscaped;
    private bool _isName;
    private bool _expectsName;
    private bool _isMatch;
    private bool _isAhead;

    /// <summary>What was found; -1 for nothing. Of several documents the last that has it counts. Part of a point is a point.</summary>
    public long Cost => (long)Math.Ceiling(Amount);

    /// <summary>The same, to the digit; -1 for nothing.</summary>
    public decimal Amount => _isOpen || _largest < 0 ? _before : _largest;

    /// <summary>Another document begins; what was found stays.</summary>
    public void Restart()
    {
        _before = Amount;
        _largest = -1;
        _depth = _trail = 0;
        _number = default;
        _isOpen = _inString = _isEscaped = _isName = _expectsName = _isMatch = _isAhead = false;
    }

    /// <summary>Looks through the next piece.</summary>
    public void Read(ReadOnlySpan<byte> piece)
    {
        for (var i = 0; i < piece.Length; i++)
        {
            if (!_inString)
            {
                Structure(piece[i]);
            }
            else if (_isName)
            {
                InName(piece[i]);
            }
            else if (_isEscaped)
            {
                _isEscaped = false;
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
                _isEscaped = piece[i] == (byte)'\\';
                _inString = _isEscaped;
            }
        }
    }

    /// <summary>Nothing comes any more.</summary>
    public void End() => EndNumber();

    private void InName(byte octet)
    {
        if (!_name.Read(octet))
        {
            return;
        }

        _inString = _isName = false;
        _isMatch = _name.IsSame;

        // It is said here, whatever was said before.
        _isOpen |= _isMatch;
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
                _isMatch = _expectsName = _isAhead = false;
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
                    _name.Begin(pointer.Names[_depth - 1]);
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
                _isAhead &= JsonNumber.IsPart(octet) || _number.HasBegun;
                if (_isAhead)
                {
                    _number.Read(octet);
                }

                return;
        }
    }

    private bool IsOnTrail => _depth == _trail && _depth > 0 && _depth <= pointer.Names.Length;

    private void Open(bool isObject)
    {
        // The whole document is on the way, and of what is in it the value of a name that fits.
        var isOnTheWay = _depth == 0 || (_depth == _trail && _isMatch && _depth < pointer.Names.Length);
        _depth++;
        if (_depth <= ToldLevels)
        {
            var bit = 1UL << (int)(_depth - 1);
            _objects = isObject ? _objects | bit : _objects & ~bit;
        }

        _trail = isOnTheWay ? _depth : _trail;
        _expectsName = isObject;
        _isMatch = _isAhead = false;
        _number = default;
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
        _expectsName = _depth is > 0 and <= ToldLevels && (_objects & (1UL << (int)(_depth - 1))) != 0;
        if (!_expectsName && IsOnTrail)
        {
            _isMatch = ++_places[_depth] == pointer.Indexes[_depth - 1];
            _isAhead = _isMatch && _depth == pointer.Names.Length;
        }
    }

    private void EndNumber()
    {
        if (!_number.HasBegun)
        {
            return;
        }

        if (_number.TryGet(MaxCost, out var number) && number >= 0)
        {
            _largest = Math.Max(_largest, number);
            _isOpen = false;
        }

        _number = default;
        _isAhead = false;
    }
}
