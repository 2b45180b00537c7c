// A small HTTP server on loopback for the tests of downloads: serves strings, with ranges, and
// misbehaves on demand.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace wiregrad::data::test {

class HttpServer {
  public:
    struct File {
        std::string content;
        std::size_t cut_after =
            std::string::npos; ///< body bytes of each connection, then it is closed
        int cuts = 1000000;    ///< how many connections are cut
        bool ranges = true;
        bool stall = false; ///< sends the headers, then nothing
        int status = 200;
    };
    explicit HttpServer(std::map<std::string, File> files) : files_(std::move(files)) {
        socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        if (socket_ < 0 || ::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
            ::listen(socket_, 8) != 0 ||
            ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
            throw std::runtime_error("no loopback server");
        port_ = ntohs(address.sin_port);
        thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
    }
    ~HttpServer() {
        thread_.request_stop();
        thread_.join();
        ::close(socket_);
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/data"; }
    /// "NAME from N", one a request.
    std::vector<std::string> requests() const {
        const std::scoped_lock lock(mutex_);
        return requests_;
    }

  private:
    void serve(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            pollfd ready{socket_, POLLIN, 0};
            if (::poll(&ready, 1, 20) <= 0) continue;
            const int client = ::accept(socket_, nullptr, nullptr);
            if (client >= 0) {
                answer(client, stop);
                ::close(client);
            }
        }
    }
    void answer(int client, const std::stop_token& stop) {
        std::string request;
        char buffer[4096];
        while (request.find("\r\n\r\n") == std::string::npos) {
            const auto got = ::recv(client, buffer, sizeof(buffer), 0);
            if (got <= 0) return;
            request.append(buffer, static_cast<std::size_t>(got));
        }
        const std::string path = request.substr(4, request.find(' ', 4) - 4);
        const std::string name = path.substr(path.rfind('/') + 1);
        std::size_t from = 0;
        if (const std::size_t at = request.find("Range: bytes="); at != std::string::npos)
            from = std::stoul(request.substr(at + 13));
        {
            const std::scoped_lock lock(mutex_);
            requests_.push_back(name + " from " + std::to_string(from));
        }
        const auto found = files_.find(name);
        if (found == files_.end() || found->second.status != 200) {
            const int status = found == files_.end() ? 404 : found->second.status;
            send(client, "HTTP/1.1 " + std::to_string(status) +
                             " No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        }
        File& file = found->second;
        const std::size_t total = file.content.size();
        const bool partial = from > 0 && file.ranges;
        const std::string body =
            partial ? file.content.substr(std::min(from, total)) : file.content;
        std::string head = partial ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " +
                                         std::to_string(from) + "-" + std::to_string(total - 1) +
                                         "/" + std::to_string(total) + "\r\n"
                                   : "HTTP/1.1 200 OK\r\n";
        send(client, head + "Content-Length: " + std::to_string(body.size()) +
                         "\r\nConnection: close\r\n\r\n");
        while (file.stall && !stop.stop_requested()) {
            pollfd gone{client, POLLIN, 0};
            if (::poll(&gone, 1, 20) > 0 && ::recv(client, buffer, 1, 0) <= 0) return;
        }
        const bool cut = file.cuts > 0 && file.cut_after < body.size();
        file.cuts -= cut ? 1 : 0;
        send(client, cut ? body.substr(0, file.cut_after) : body);
    }
    static void send(int client, const std::string& bytes) {
        std::size_t done = 0;
        while (done < bytes.size()) {
            const auto sent =
                ::send(client, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
            if (sent <= 0) return;
            done += static_cast<std::size_t>(sent);
        }
    }

    std::map<std::string, File> files_;
    int socket_ = -1, port_ = 0;
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::jthread thread_;
};

} // namespace wiregrad::data::test
