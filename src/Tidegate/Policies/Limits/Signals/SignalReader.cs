using System.Buffers.Text;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Limits.Signals;

/// <summary>
/// Reads what an answer says about limits. Allocates nothing and never throws: a value that cannot be meant says nothing and is counted, so that no answer can
/// stop traffic for longer than <see cref="RetryAfter.MaxWait"/>.
/// </summary>
internal ref struct SignalReader
{
    // Sums of such amounts stay far inside a long.
    private const long MaxAmount = 1L << 40;
    private const int MaxPolicies = SignalWindows.MaxCount;

    private readonly HeaderList _fields;
    private readonly DateTimeOffset _serverNow;
    private readonly Span<Notes> _notes;
    private readonly Span<Policy> _policies;
    private int _policyCount;

    private SignalReader(HeaderList fields, DateTimeOffset now, Span<Notes> notes, Span<Policy> policies)
    {
        _fields = fields;
        _notes = notes;
        _policies = policies;

        // The provider's own clock, where it says what that is. To the second, rounded down: whatever is reckoned from it is late, never early.
        _serverNow = fields.TryGet(KnownHeader.Date, out var date) && HttpDate.TryParse(date, now, out DateTimeOffset sent) ? sent : now;
    }

    /// <summary>Reads an answer's head.</summary>
    /// <param name="fields">Of the answer.</param>
    /// <param name="status">Of the answer.</param>
    /// <param name="dialect">Which fields the provider writes.</param>
    /// <param name="now">The time here.</param>
    /// <param name="reading">What it says; nothing at all when a cache answers.</param>
    public static void Read(HeaderList fields, int status, SignalDialect dialect, DateTimeOffset now, out ProviderReading reading)
    {
        reading = default;
        if (RetryAfter.IsStored(fields))
        {
            return;
        }

        Span<Notes> notes = stackalloc Notes[SignalWindows.MaxCount];
        Span<Policy> policies = stackalloc Policy[MaxPolicies];
        notes.Clear();
        var reader = new SignalReader(fields, now, notes, policies);
        for (var i = 0; i < fields.Count; i++)
        {
            var field = fields[i];
            if (field.Known == KnownHeader.None && dialect.Find(field.Name) is { } entry)
            {
                reader.Read(entry, field.Value, ref reading);
            }
        }

        reader.Finish(ref reading);
        reading.HasRetryAfter = RetryAfter.TryRead(fields, now, out reading.RetryAfter, out var ignored);
        reading.Ignored += ignored;
        reading.Kind = KindOf(status, fields, dialect, in reading);
    }

    /// <summary>What a status means when no error class of the provider says otherwise.</summary>
    private static ProviderSignal KindOf(int status, HeaderList fields, SignalDialect dialect, in ProviderReading reading)
    {
        if (status < 400)
        {
            return ProviderSignal.None;
        }

        foreach (var error in dialect.Errors)
        {
            if (error.Code is null && error.Fits(status, fields))
            {
                return error.Kind;
            }
        }

        return status switch
        {
            429 => ProviderSignal.Throttle,
            503 or 529 => ProviderSignal.Overload,
            403 when reading.HasRetryAfter || HasNothingLeft(in reading) => ProviderSignal.Throttle,
            _ => ProviderSignal.None,
        };
    }

    private static bool HasNothingLeft(in ProviderReading reading)
    {
        for (var i = 0; i < reading.Count; i++)
        {
            if (reading.Windows[i] is { Remaining: 0, IsUsable: true })
            {
                return true;
            }
        }

        return false;
    }

    private static bool TryAmount(ReadOnlySpan<byte> text, out long amount)
    {
        // A fraction of a request is none: 3.7 left are 3.
        amount = 0;
        if (WholeNumber.TryRead(text, out var whole))
        {
            amount = Math.Min(whole, MaxAmount);
            return true;
        }

        if (text.IsEmpty || text.ContainsAnyExcept("0123456789."u8) || !Utf8Parser.TryParse(text, out decimal number, out var read) || read != text.Length)
        {
            return false;
        }

        amount = (long)decimal.Min(decimal.Floor(number), MaxAmount);
        return true;
    }

    private void Read(SignalDialect.Entry entry, ReadOnlySpan<byte> value, ref ProviderReading reading)
    {
        switch (entry.Role)
        {
            case SignalRole.RateLimit:
                ReadRateLimit(value, ref reading);
                return;
            case SignalRole.Policy:
                ReadPolicy(value, ref reading);
                return;
            case SignalRole.Bucket:
                reading.Bucket = value.IsEmpty ? 0 : SignalName.Of(value);
                return;
            case SignalRole.Global:
                reading.IsGlobal = Ascii.EqualsIgnoreCase(value, "true"u8) || Ascii.EqualsIgnoreCase(value, "global"u8);
                return;
        }

        var index = reading.WindowOf(entry.Window);
        if (index < 0)
        {
            return;
        }

        ref var window = ref reading.Windows[index];
        ref var notes = ref _notes[index];
        window.Unit = entry.Form!.Unit;
        window.Refills = entry.Form.Refills;
        window.PeriodTicks = entry.Form.Period > TimeSpan.Zero ? entry.Form.Period.Ticks : window.PeriodTicks;
        reading.Ignored += ReadWindow(entry, value, ref window, ref notes) ? 0 : 1;
    }

    private readonly bool ReadWindow(SignalDialect.Entry entry, ReadOnlySpan<byte> value, ref SignalWindow window, ref Notes notes)
    {
        switch (entry.Role)
        {
            case SignalRole.Limit:
                // Early drafts list the policies behind it: 10, 10;w=1, 50;w=60.
                return TryAmount(value[..(value.IndexOfAny(",;"u8) is >= 0 and var end ? end : value.Length)].TrimEnd((byte)' '), out window.Limit) || Unsaid(out window.Limit);
            case SignalRole.Remaining:
                if (!TryAmount(value, out var remaining))
                {
                    return false;
                }

                window.Remaining = window.Remaining < 0 ? remaining : Math.Min(window.Remaining, remaining);
                return true;
            case SignalRole.Used:
                notes.HasUsed = TryAmount(value, out notes.Used);
                return notes.HasUsed;
            case SignalRole.UsedOfLimit:
                return ReadUsedOfLimit(value, ref window, ref notes);
            default:
                if (entry.Role == SignalRole.Reset && notes.IsResetExact)
                {
                    return true;
                }

                if (!SignalTime.TryRead(value, entry.Form!.ResetForm, _serverNow, out var ticks, out var isCapped))
                {
                    return false;
                }

                window.ResetTicks = ticks;
                notes.IsResetExact = entry.Role == SignalRole.ResetAfter;
                return !isCapped;
        }
    }

    private static bool ReadUsedOfLimit(ReadOnlySpan<byte> value, ref SignalWindow window, ref Notes notes)
    {
        // api-usage=25/5000 may be followed by per-app-api-usage=17/250(appName=sample): the first is the organisation's.
        value = value[..(value.IndexOfAny(",;"u8) is >= 0 and var end ? end : value.Length)];
        value = value[(value.IndexOf((byte)'=') + 1)..].Trim((byte)' ');
        var slash = value.IndexOf((byte)'/');
        if (slash < 0 || !TryAmount(value[..slash], out notes.Used) || !TryAmount(value[(slash + 1)..], out window.Limit))
        {
            Unsaid(out window.Limit);
            return false;
        }

        notes.HasUsed = true;
        return true;
    }

    private static bool Unsaid(out long value)
    {
        value = SignalWindow.Unknown;
        return false;
    }

    private readonly void ReadRateLimit(ReadOnlySpan<byte> field, ref ProviderReading reading)
    {
        // limit=10, remaining=10, reset=4
        if (Ascii.EqualsIgnoreCase(field[..Math.Min(field.Length, 6)], "limit="u8) || Ascii.EqualsIgnoreCase(field[..Math.Min(field.Length, 10)], "remaining="u8))
        {
            ReadCombined(field, ref reading);
            return;
        }

        for (var items = new StructuredLimits(field); items.TryNext(out var item);)
        {
            if (!StructuredLimits.TryItem(item, out _))
            {
                reading.Ignored++;
                return;
            }
        }

        for (var items = new StructuredLimits(field); items.TryNext(out var item);)
        {
            StructuredLimits.TryItem(item, out var limit);
            if (limit.Remaining < 0)
            {
                reading.Ignored++;
                continue;
            }

            var name = SignalName.Of(limit.Name);
            var index = reading.WindowOf(limit.Partition.IsEmpty ? name : SignalName.Of(name, limit.Partition));
            if (index < 0)
            {
                return;
            }

            ref var window = ref reading.Windows[index];
            _notes[index].Policy = name;
            window.Unit = limit.Unit;
            window.Remaining = Math.Min(limit.Remaining, MaxAmount);
            window.ResetTicks = TicksOf(limit.Seconds, ref reading);
        }
    }

    private readonly void ReadCombined(ReadOnlySpan<byte> field, ref ProviderReading reading)
    {
        var index = reading.WindowOf(SignalName.Of("ratelimit"u8));
        if (index < 0)
        {
            return;
        }

        ref var window = ref reading.Windows[index];
        for (var items = new StructuredLimits(field); items.TryNext(out var item);)
        {
            var equals = item.IndexOf((byte)'=');
            if (equals < 0 || !TryAmount(item[(equals + 1)..], out var amount))
            {
                reading.Ignored++;
                continue;
            }

            var key = item[..equals];
            if (Ascii.EqualsIgnoreCase(key, "limit"u8))
            {
                window.Limit = amount;
            }
            else if (Ascii.EqualsIgnoreCase(key, "remaining"u8))
            {
                window.Remaining = amount;
            }
            else if (Ascii.EqualsIgnoreCase(key, "reset"u8))
            {
                window.ResetTicks = TicksOf(amount, ref reading);
            }
        }
    }

    private static long TicksOf(long seconds, ref ProviderReading reading)
    {
        if (seconds < 0)
        {
            return SignalWindow.Unknown;
        }

        if (seconds > RetryAfter.Absurd.Ticks / TimeSpan.TicksPerSecond)
        {
            reading.Ignored++;
            return SignalWindow.Unknown;
        }

        var ticks = seconds * TimeSpan.TicksPerSecond;
        reading.Ignored += ticks > RetryAfter.MaxWait.Ticks ? 1 : 0;
        return Math.Min(ticks, RetryAfter.MaxWait.Ticks);
    }

    private void ReadPolicy(ReadOnlySpan<byte> field, ref ProviderReading reading)
    {
        for (var items = new StructuredLimits(field); items.TryNext(out var item);)
        {
            if (!StructuredLimits.TryItem(item, out var limit))
            {
                reading.Ignored++;
                return;
            }

            if (_policyCount < MaxPolicies)
            {
                _policies[_policyCount++] = new Policy { Name = SignalName.Of(limit.Name), Quota = Math.Min(limit.Quota, MaxAmount), PeriodTicks = TicksOf(limit.Window, ref reading), Unit = limit.Unit };
            }
        }
    }

    private readonly void Finish(ref ProviderReading reading)
    {
        for (var i = 0; i < reading.Count; i++)
        {
            ref var window = ref reading.Windows[i];
            if (_notes[i].HasUsed && window.Remaining < 0 && window.Limit > 0)
            {
                window.Remaining = Math.Max(0, window.Limit - _notes[i].Used);
            }

            foreach (ref readonly var policy in _policies[.._policyCount])
            {
                // By name; or, from drafts that had no names, by amount.
                if ((policy.Name == _notes[i].Policy && policy.Name != 0) || (_notes[i].Policy == 0 && window.Limit > 0 && window.Limit == policy.Quota))
                {
                    window.Limit = policy.Quota > 0 ? policy.Quota : window.Limit;
                    window.PeriodTicks = policy.PeriodTicks > 0 ? policy.PeriodTicks : window.PeriodTicks;
                    window.Unit = policy.Unit == SignalUnit.Other ? policy.Unit : window.Unit;
                }
            }
        }
    }

    private struct Notes
    {
        public ulong Policy;
        public long Used;
        public bool HasUsed;
        public bool IsResetExact;
    }

    private struct Policy
    {
        public ulong Name;
        public long Quota;
        public long PeriodTicks;
        public SignalUnit Unit;
    }
}
