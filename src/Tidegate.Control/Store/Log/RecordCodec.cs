using System.Net;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Log;

/// <summary>A record as bytes of the log, and back. Every field, in the order of <see cref="ExchangeRecord"/>.</summary>
internal static class RecordCodec
{
    // Of notes and decisions: what an exchange can have of them is far less.
    private const int MaxNotes = 1_000;
    private const int MaxAddressBytes = 16;

    public static void Write(ByteSink bytes, in ExchangeRecord record)
    {
        bytes.Fixed(record.Id);
        bytes.Number(record.Started.UtcTicks);
        bytes.Number((ulong)record.Direction);
        bytes.Text(record.Api);
        bytes.Text(record.Endpoint);
        bytes.Text(record.Consumer.Name);
        bytes.Text(record.Consumer.Tenant);
        bytes.Text(record.Consumer.Environment);
        Span<byte> address = stackalloc byte[MaxAddressBytes];
        record.ClientAddress.TryWriteBytes(address, out var addressBytes);
        bytes.Bytes(address[..addressBytes]);
        bytes.Number((ulong)record.ClientProtocol);
        bytes.Text(record.Method);
        bytes.Text(record.Scheme);
        bytes.Text(record.Host);
        bytes.Number((ulong)record.Port);
        bytes.Text(record.Path);
        bytes.Number(record.Query is null ? 0UL : 1UL);
        bytes.Text(record.Query ?? "");
        bytes.Number((ulong)record.Status);
        bytes.Number((ulong)record.Outcome);
        bytes.Text(record.Reason);
        bytes.Text(record.Code);
        bytes.Text(record.Detail);
        bytes.Number((ulong)record.Observed.Count);
        foreach (var decision in record.Observed)
        {
            bytes.Text(decision.Policy);
            bytes.Text(decision.Code);
        }

        bytes.Number((ulong)record.Cache);
        bytes.Number(record.IsCacheOverridden ? 1UL : 0UL);
        bytes.Number((ulong)record.UnreadCosts);
        bytes.Number((ulong)record.CachePurges);
        bytes.Number((ulong)record.Attempts);
        bytes.Number((ulong)record.Retries.Count);
        foreach (var retry in record.Retries)
        {
            bytes.Text(retry.Cause);
            bytes.Number(retry.Pause.Ticks);
            bytes.Text(retry.Stopped);
            bytes.Text(retry.Result);
            bytes.Text(retry.Destination);
            bytes.Text(retry.Region);
            bytes.Text(retry.Credential);

            // Since version 4.
            bytes.Number(retry.Began.Ticks);
            bytes.Number(retry.Took.Ticks);
        }

        bytes.Text(record.Destination);
        bytes.Text(record.Region);
        bytes.Text(record.Credential);
        bytes.Number((ulong)record.UpstreamProtocol);
        bytes.Number(record.RequestBytes);
        bytes.Number(record.ResponseBytes);
        bytes.Number(record.Queue.Ticks);
        bytes.Number(record.Policies.Ticks);
        bytes.Number(record.Connect.Ticks);
        bytes.Number(record.TimeToFirstByte.Ticks);
        bytes.Number(record.Total.Ticks);
        bytes.Number(record.Trace.IsValid ? 1UL : 0UL);
        if (record.Trace.IsValid)
        {
            bytes.Fixed(record.Trace.TraceIdHigh);
            bytes.Fixed(record.Trace.TraceIdLow);
            bytes.Fixed(record.Trace.SpanId);
            bytes.Fixed(record.Trace.ParentSpanId);
            bytes.Number((ulong)record.Trace.Flags);
        }

        // Since version 2.
        bytes.Text(record.Cost.Currency);
        if (record.Cost.Currency.Length > 0)
        {
            bytes.Amount(record.Cost.Amount);
            bytes.Number((ulong)record.Cost.Billed);
            bytes.Number((ulong)record.Cost.Unknown);
        }

        // Since version 3.
        bytes.Number((ulong)record.Auth);

        // Since version 4.
        bytes.Number((ulong)record.QueuePosition);
    }

    /// <param name="bytes">Of the log.</param>
    /// <param name="version">Of the frame that they are from.</param>
    /// <exception cref="InvalidDataException">The bytes are no record.</exception>
    public static ExchangeRecord Read(ref ByteSource bytes, int version = LogFrame.Version) => new()
    {
        Id = bytes.Fixed(),
        Started = ReadTime(ref bytes),
        Direction = (Direction)bytes.Count(1),
        Api = bytes.Text(),
        Endpoint = bytes.Text(),
        Consumer = new Consumer(bytes.Text(), bytes.Text(), bytes.Text()),
        ClientAddress = ReadAddress(ref bytes),
        ClientProtocol = (ProtocolVersion)bytes.Count(byte.MaxValue),
        Method = bytes.Text(),
        Scheme = bytes.Text(),
        Host = bytes.Text(),
        Port = bytes.Count(ushort.MaxValue),
        Path = bytes.Text(),
        Query = bytes.Count(1) == 1 ? bytes.Text() : ReadNothing(ref bytes),
        Status = bytes.Count(999),
        Outcome = (Outcome)bytes.Count(byte.MaxValue),
        Reason = bytes.Text(),
        Code = bytes.Text(),
        Detail = bytes.Text(),
        Observed = ReadObserved(ref bytes),
        Cache = (CacheResult)bytes.Count(byte.MaxValue),
        IsCacheOverridden = bytes.Count(1) == 1,
        UnreadCosts = (UnreadCosts)bytes.Count(byte.MaxValue),
        CachePurges = bytes.Count(int.MaxValue),
        Attempts = bytes.Count(int.MaxValue),
        Retries = ReadRetries(ref bytes, version),
        Destination = bytes.Text(),
        Region = bytes.Text(),
        Credential = bytes.Text(),
        UpstreamProtocol = (ProtocolVersion)bytes.Count(byte.MaxValue),
        RequestBytes = bytes.Number(),
        ResponseBytes = bytes.Number(),
        Queue = new TimeSpan(bytes.Number()),
        Policies = new TimeSpan(bytes.Number()),
        Connect = new TimeSpan(bytes.Number()),
        TimeToFirstByte = new TimeSpan(bytes.Number()),
        Total = new TimeSpan(bytes.Number()),
        Trace = bytes.Count(1) == 1 ? new TraceContext(bytes.Fixed(), bytes.Fixed(), bytes.Fixed(), bytes.Fixed(), (byte)bytes.Count(byte.MaxValue)) : default,
        Cost = version >= 2 ? ReadCost(ref bytes) : ExchangeCost.None,
        Auth = version >= 3 ? (AuthFields)bytes.Count(byte.MaxValue) : AuthFields.None,
        QueuePosition = version >= 4 ? bytes.Count(int.MaxValue) : 0,
    };

    private static ExchangeCost ReadCost(ref ByteSource bytes) =>
        bytes.Text() is { Length: > 0 } currency ? new ExchangeCost(bytes.Amount(), currency, bytes.Count(int.MaxValue), bytes.Count(int.MaxValue)) : ExchangeCost.None;

    private static DateTimeOffset ReadTime(ref ByteSource bytes)
    {
        var ticks = bytes.Number();
        return ticks >= 0 && ticks <= DateTimeOffset.MaxValue.UtcTicks ? new DateTimeOffset(ticks, TimeSpan.Zero) : throw new InvalidDataException("A time is outside of all time.");
    }

    private static IPAddress ReadAddress(ref ByteSource bytes)
    {
        var address = bytes.Bytes();
        return address.Length is 4 or 16 ? new IPAddress(address) : throw new InvalidDataException("An address has neither 4 nor 16 bytes.");
    }

    private static string? ReadNothing(ref ByteSource bytes)
    {
        bytes.Text();
        return null;
    }

    private static PolicyDecision[] ReadObserved(ref ByteSource bytes)
    {
        var count = bytes.Count(MaxNotes);
        var observed = count == 0 ? [] : new PolicyDecision[count];
        for (var i = 0; i < count; i++)
        {
            observed[i] = new PolicyDecision(bytes.Text(), bytes.Text());
        }

        return observed;
    }

    private static RetryNote[] ReadRetries(ref ByteSource bytes, int version)
    {
        var count = bytes.Count(MaxNotes);
        var retries = count == 0 ? [] : new RetryNote[count];
        for (var i = 0; i < count; i++)
        {
            var note = new RetryNote(bytes.Text(), new TimeSpan(bytes.Number()), bytes.Text()) { Result = bytes.Text(), Destination = bytes.Text(), Region = bytes.Text(), Credential = bytes.Text() };
            retries[i] = version >= 4 ? note with { Began = new TimeSpan(bytes.Number()), Took = new TimeSpan(bytes.Number()) } : note;
        }

        return retries;
    }
}
