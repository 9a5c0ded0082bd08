using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Tidegate.Transport;
using Xunit;

namespace Tidegate.Tests.Transport;

/// <summary>Which congestion control the kernel says that a connection has.</summary>
public sealed partial class CongestionControlTests
{
    private const int TcpLevel = 6;
    private const int OptionCongestion = 13;
    private const int MaxDescriptors = 4_096;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_client_on_the_same_host_is_answered_with_reno()
    {
        SkipWhereNothingShows();
        await using var pair = await TransportPair.StartAsync(Cancellation);
        Assert.Equal("reno", OfOwn((IPEndPoint)pair.Connection.LocalEndPoint!, (IPEndPoint)pair.Connection.RemoteEndPoint!));
    }

    [Fact]
    public async Task An_upstream_on_the_same_host_is_sent_to_with_reno()
    {
        SkipWhereNothingShows();
        using var upstream = new TcpListener(IPAddress.Loopback, 0);
        upstream.Start();
        await using var transport = await TestTransport.StartAsync(1, Cancellation);
        await using var connection = await transport.Transport.ConnectAsync((IPEndPoint)upstream.LocalEndpoint, Cancellation);
        using var accepted = await upstream.AcceptSocketAsync(Cancellation);

        Assert.Equal("reno", OfOwn((IPEndPoint)accepted.RemoteEndPoint!, (IPEndPoint)upstream.LocalEndpoint));
    }

    private static void SkipWhereNothingShows()
    {
        const string Default = "/proc/sys/net/ipv4/tcp_congestion_control";
        Assert.SkipUnless(File.Exists(Default), "The transport is Linux's.");
        Assert.SkipWhen(File.ReadAllText(Default).Trim() == "reno", "This system uses Reno everywhere.");
    }

    /// <summary>Of this process's socket between two addresses, found among its descriptors: they are not the test's, so they are only asked.</summary>
    private static string OfOwn(IPEndPoint local, IPEndPoint remote)
    {
        for (var descriptor = 0; descriptor < MaxDescriptors; descriptor++)
        {
            if (local.Equals(Address(descriptor, GetSocketName)) && remote.Equals(Address(descriptor, GetPeerName)))
            {
                var name = new byte[16];
                var length = (uint)name.Length;
                Assert.Equal(0, GetSocketOption(descriptor, TcpLevel, OptionCongestion, name, ref length));
                return Encoding.ASCII.GetString(name).TrimEnd('\0');
            }
        }

        throw new InvalidOperationException($"No socket between {local} and {remote}.");
    }

    private static IPEndPoint? Address(int descriptor, AskAddress ask)
    {
        var address = new byte[SocketAddressBytes.MaxLength];
        var length = (uint)address.Length;
        return ask(descriptor, address, ref length) == 0 && BitConverter.ToUInt16(address) is Libc.AddressFamilyIPv4 or Libc.AddressFamilyIPv6 ? SocketAddressBytes.Read(address) : null;
    }

    private delegate int AskAddress(int descriptor, byte[] address, ref uint length);

    [LibraryImport("libc", EntryPoint = "getsockname")]
    private static partial int GetSocketName(int descriptor, [In, Out] byte[] address, ref uint length);

    [LibraryImport("libc", EntryPoint = "getpeername")]
    private static partial int GetPeerName(int descriptor, [In, Out] byte[] address, ref uint length);

    [LibraryImport("libc", EntryPoint = "getsockopt")]
    private static partial int GetSocketOption(int descriptor, int level, int option, [In, Out] byte[] value, ref uint length);
}
