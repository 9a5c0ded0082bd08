using System.IO.Hashing;
using Tidegate.Control.Store.Log;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Rollups;

/// <summary>Sums and sketches of the exchanges of one kind in one span of time. Cells add up. Not thread-safe.</summary>
internal sealed class RollupCell
{
    /// <summary>How many sums there are.</summary>
    public const int SumCount = 11;

    public long Count { get; private set; }

    public long Attempts { get; private set; }

    /// <summary>Attempts that were made again.</summary>
    public long Retries { get; private set; }

    public long RequestBytes { get; private set; }

    public long ResponseBytes { get; private set; }

    public long QueueTicks { get; private set; }

    public long PolicyTicks { get; private set; }

    public long ConnectTicks { get; private set; }

    public long FirstByteTicks { get; private set; }

    public long TotalTicks { get; private set; }

    public long LongestTicks { get; private set; }

    /// <summary>Of the total time, but of tunnels and upgraded connections, which last as long as their clients like.</summary>
    public LatencySketch Latency { get; } = new();

    /// <summary>Of client addresses.</summary>
    public DistinctSketch Clients { get; } = new();

    /// <summary>What they cost.</summary>
    public CostSums Costs { get; } = new();

    /// <summary>Changed since it was saved.</summary>
    public bool IsDirty { get; set; }

    public void Add(in ExchangeRecord record)
    {
        Count++;
        Attempts += record.Attempts;
        Retries += Math.Max(0, record.Attempts - 1);
        RequestBytes += record.RequestBytes;
        ResponseBytes += record.ResponseBytes;
        QueueTicks += record.Queue.Ticks;
        PolicyTicks += record.Policies.Ticks;
        ConnectTicks += record.Connect.Ticks;
        FirstByteTicks += record.TimeToFirstByte.Ticks;
        Costs.Add(in record);
        if (record.Status != 101 && record.Method != "CONNECT")
        {
            TotalTicks += record.Total.Ticks;
            LongestTicks = Math.Max(LongestTicks, record.Total.Ticks);
            Latency.Add(record.Total);
        }

        Span<byte> address = stackalloc byte[16];
        record.ClientAddress.TryWriteBytes(address, out var length);
        Clients.Add(XxHash3.HashToUInt64(address[..length]));
        IsDirty = true;
    }

    public void Add(RollupCell other)
    {
        Count += other.Count;
        Attempts += other.Attempts;
        Retries += other.Retries;
        RequestBytes += other.RequestBytes;
        ResponseBytes += other.ResponseBytes;
        QueueTicks += other.QueueTicks;
        PolicyTicks += other.PolicyTicks;
        ConnectTicks += other.ConnectTicks;
        FirstByteTicks += other.FirstByteTicks;
        TotalTicks += other.TotalTicks;
        LongestTicks = Math.Max(LongestTicks, other.LongestTicks);
        Latency.Add(other.Latency);
        Clients.Add(other.Clients);
        Costs.Add(other.Costs);
        IsDirty = true;
    }

    /// <summary>Empty again, with the room that it has.</summary>
    public void Clear()
    {
        Count = Attempts = Retries = RequestBytes = ResponseBytes = QueueTicks = PolicyTicks = ConnectTicks = FirstByteTicks = TotalTicks = LongestTicks = 0;
        Latency.Clear();
        Clients.Clear();
        Costs.Clear();
    }

    /// <summary>What columns do not hold.</summary>
    public void WriteSketches(ByteSink bytes)
    {
        Latency.Write(bytes);
        Clients.Write(bytes);
        Costs.Write(bytes);
    }

    /// <summary>Adds what was saved of one.</summary>
    /// <param name="sums">Count, attempts, retries, request bytes, response bytes, and the ticks of queue, policies, connect, first byte, total and the longest.</param>
    /// <param name="sketches">What <see cref="WriteSketches"/> wrote.</param>
    /// <param name="texts">For reading.</param>
    public void AddSaved(ReadOnlySpan<long> sums, ReadOnlySpan<byte> sketches, TextPool texts)
    {
        AddSums(sums);
        if (!sketches.IsEmpty)
        {
            var source = new ByteSource(sketches, texts);
            AddSketches(ref source);
        }
    }

    /// <summary>All of it, as one value.</summary>
    public void Write(ByteSink bytes)
    {
        Span<long> sums = stackalloc long[SumCount];
        CopySums(sums);
        foreach (var sum in sums)
        {
            bytes.Number(sum);
        }

        WriteSketches(bytes);
    }

    /// <summary>Adds all of what <see cref="Write"/> wrote of one; gives how many exchanges that were.</summary>
    /// <exception cref="InvalidDataException">Nobody wrote it.</exception>
    public long AddWritten(ReadOnlySpan<byte> written, TextPool texts)
    {
        var source = new ByteSource(written, texts);
        Span<long> sums = stackalloc long[SumCount];
        foreach (ref var sum in sums)
        {
            sum = source.Number();
        }

        AddSums(sums);
        AddSketches(ref source);
        return sums[0];
    }

    /// <summary>In the order of <see cref="AddSaved"/>.</summary>
    public void CopySums(Span<long> sums)
    {
        ReadOnlySpan<long> all = [Count, Attempts, Retries, RequestBytes, ResponseBytes, QueueTicks, PolicyTicks, ConnectTicks, FirstByteTicks, TotalTicks, LongestTicks];
        all.CopyTo(sums);
    }

    private void AddSums(ReadOnlySpan<long> sums)
    {
        Count += sums[0];
        Attempts += sums[1];
        Retries += sums[2];
        RequestBytes += sums[3];
        ResponseBytes += sums[4];
        QueueTicks += sums[5];
        PolicyTicks += sums[6];
        ConnectTicks += sums[7];
        FirstByteTicks += sums[8];
        TotalTicks += sums[9];
        LongestTicks = Math.Max(LongestTicks, sums[10]);
    }

    private void AddSketches(ref ByteSource source)
    {
        Latency.Read(ref source);
        Clients.Read(ref source);
        Costs.Read(ref source);
    }
}
